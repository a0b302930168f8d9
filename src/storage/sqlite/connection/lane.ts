import { type Clock, defer, systemClock } from '../../../core/clock.ts';
import { Deadlines, TimeUpError, type Waiter } from './deadline.ts';

/** A group grows no further once it has this many rows or characters: the event loop waits while it is stored. */
const MAX_GROUP_ROWS = 200;
const MAX_GROUP_CHARS = 256 * 1024;

export interface LaneMember {
  readonly rows: number;
  readonly chars: number;
}

/** What a group is told for its way. */
export interface Departure {
  /** When the first of its members has waited long enough; undefined if none minds. */
  readonly deadlineMs: number | undefined;
  /** Some of its members were sent before, and may be stored since. */
  readonly isSentAgain: boolean;
}

interface Waiting<M, R> extends Waiter {
  readonly member: M;
  isSentAgain: boolean;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/**
 * Group commit: members that arrive while others are under way leave together
 * as the next group, in the order they came. Each is answered by its own
 * deadline: one that still waits then never leaves, and a group is given up when
 * the first of its members has no time left, the others leaving again.
 */
export class Lane<M extends LaneMember, R> {
  readonly #send: (members: readonly M[], departure: Departure) => Promise<readonly R[]>;
  readonly #isMembersFault: (error: unknown) => boolean;
  readonly #maxUnderWay: () => number;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  #waiting: Waiting<M, R>[] = [];
  #underWay = 0;
  #isLeaving = false;

  constructor(options: {
    /** Stores a group in one statement; answers in the members' order. @throws {TimeUpError} at its deadline */
    send: (members: readonly M[], departure: Departure) => Promise<readonly R[]>;
    /** Whether a group's error may be one member's: its members are then tried one by one. */
    isMembersFault: (error: unknown) => boolean;
    /** How many groups may be under way at once; their order is then open. */
    maxUnderWay: () => number;
    /** What the deadlines are told by. */
    clock?: Clock;
  }) {
    this.#send = options.send;
    this.#isMembersFault = options.isMembersFault;
    this.#maxUnderWay = options.maxUnderWay;
    this.#clock = options.clock ?? systemClock;
    this.#deadlines = new Deadlines(this.#clock);
  }

  /** Whether members wait, or are under way. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#underWay === 0;
  }

  /** `deadlineMs`: when its caller has waited long enough; never unless given. @throws {TimeUpError} */
  submit(member: M, deadlineMs: number = Number.POSITIVE_INFINITY): Promise<R> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting<M, R> = {
        member,
        deadlineMs,
        isSentAgain: false,
        resolve,
        reject,
        expire: () => {
          this.#waiting = this.#waiting.filter((each) => each !== waiting);
          reject(new TimeUpError());
        },
      };
      this.#waiting.push(waiting);
      this.#leaveSoon();
      // What leaves in this turn of the loop needs no clock.
      if (!this.#isLeaving) this.#watch(waiting);
    });
  }

  #watch(waiting: Waiting<M, R>): void {
    if (waiting.deadlineMs !== Number.POSITIVE_INFINITY) this.#deadlines.add(waiting);
  }

  #leaveSoon(): void {
    if (this.#isLeaving || this.#waiting.length === 0 || this.#underWay >= this.#maxUnderWay()) return;
    this.#isLeaving = true;
    // Not at once, so that what arrives in this turn of the event loop leaves
    // together; not on a microtask, which would starve timers and sockets.
    defer(() => {
      this.#isLeaving = false;
      if (this.#waiting.length === 0) return;
      this.#underWay++;
      void this.#sendGroup(this.#takeGroup()).then(() => {
        this.#underWay--;
        this.#leaveSoon();
      });
      this.#leaveSoon();
    });
  }

  #takeGroup(): Waiting<M, R>[] {
    let rows = 0;
    let chars = 0;
    let size = 0;
    for (const { member } of this.#waiting) {
      rows += member.rows;
      chars += member.chars;
      if (size > 0 && (rows > MAX_GROUP_ROWS || chars > MAX_GROUP_CHARS)) break;
      size++;
    }
    const group = this.#waiting.splice(0, size);
    for (const waiting of group) this.#deadlines.remove(waiting);
    return group;
  }

  async #sendGroup(group: readonly Waiting<M, R>[]): Promise<void> {
    const deadlineMs = Math.min(...group.map((waiting) => waiting.deadlineMs));
    try {
      const results = await this.#send(
        group.map(({ member }) => member),
        {
          deadlineMs: deadlineMs === Number.POSITIVE_INFINITY ? undefined : deadlineMs,
          isSentAgain: group.some(({ isSentAgain }) => isSentAgain),
        },
      );
      group.forEach((waiting, i) => {
        waiting.resolve(results[i] as R);
      });
    } catch (error) {
      if (error instanceof TimeUpError) return this.#giveUp(group, { deadlineMs, error });
      if (group.length === 1 || !this.#isMembersFault(error)) {
        for (const waiting of group) waiting.reject(error);
        return;
      }
      for (const waiting of group) await this.#sendGroup([waiting]);
    }
  }

  /** Those that have time left are the first to leave again. */
  #giveUp(
    group: readonly Waiting<M, R>[],
    { deadlineMs, error }: { deadlineMs: number; error: TimeUpError },
  ): void {
    const nowMs = Math.max(deadlineMs, this.#clock.monotonicMs());
    const remaining: Waiting<M, R>[] = [];
    for (const waiting of group) {
      if (waiting.deadlineMs <= nowMs) {
        waiting.reject(error);
      } else {
        waiting.isSentAgain = true;
        remaining.push(waiting);
        this.#watch(waiting);
      }
    }
    this.#waiting.unshift(...remaining);
  }
}
