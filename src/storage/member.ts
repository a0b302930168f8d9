import { type Deadlines, TimeUpError, type Waiter } from './deadlines.ts';
import type { WriteKind, WriteSize } from './writes.ts';

interface Caller {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

interface MemberParts {
  readonly kind: WriteKind<unknown, unknown>;
  readonly member: unknown;
  readonly deadlineMs: number;
  readonly caller: Caller;
  readonly deadlines: Deadlines;
  /** Called when the deadline has passed, before the caller is answered. */
  readonly onExpire: (member: Member) => void;
}

/** A write on its way through the lane, and the caller that waits for it. The caller is answered once. */
export class Member implements Waiter {
  readonly kind: WriteKind<unknown, unknown>;
  readonly member: unknown;
  readonly size: WriteSize;
  readonly deadlineMs: number;
  /** When it was first sent, on the monotonic clock. */
  firstSentMs: number | undefined;
  isSentAgain = false;
  /** Its answer alone was too large. */
  asksLess = false;
  readonly #caller: Caller;
  readonly #deadlines: Deadlines;
  readonly #onExpire: (member: Member) => void;
  #state: 'unwatched' | 'watched' | 'settled' = 'unwatched';

  constructor({ kind, member, deadlineMs, caller, deadlines, onExpire }: MemberParts) {
    this.kind = kind;
    this.member = member;
    this.size = kind.sizeOf(member);
    this.deadlineMs = deadlineMs;
    this.#caller = caller;
    this.#deadlines = deadlines;
    this.#onExpire = onExpire;
  }

  /** Its caller has been answered. */
  get isSettled(): boolean {
    return this.#state === 'settled';
  }

  /** From now on the caller is answered when the deadline passes, even if the write is under way. */
  watch(): void {
    if (this.#state !== 'unwatched' || this.deadlineMs === Number.POSITIVE_INFINITY) return;
    this.#state = 'watched';
    this.#deadlines.add(this);
  }

  /** From now on the caller waits for the write, however long it takes. */
  unwatch(): void {
    if (this.#state !== 'watched') return;
    this.#state = 'unwatched';
    this.#deadlines.remove(this);
  }

  expire(): void {
    this.#onExpire(this);
    this.reject(new TimeUpError());
  }

  resolve(result: unknown): void {
    if (this.#settle()) this.#caller.resolve(result);
  }

  reject(error: unknown): void {
    if (this.#settle()) this.#caller.reject(error);
  }

  /** False if the caller was answered before. */
  #settle(): boolean {
    if (this.isSettled) return false;
    this.unwatch();
    this.#state = 'settled';
    return true;
  }
}
