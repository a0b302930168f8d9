import { defer } from '../core/clock.ts';
import { DatabaseUnavailableError } from '../core/errors/errors.ts';
import { type Deadlines, TimeUpError } from './deadlines.ts';
import {
  answersByPart,
  compileParts,
  firstDeadlineMs,
  LOCAL_BOUNDS,
  type Member,
  membersOf,
  newMember,
  type Part,
  partOf,
  REMOTE_BOUNDS,
  type SentParts,
  smaller,
  statementsOf,
  takeFirst,
  withoutSettled,
} from './departure.ts';
import { Pauses } from './pauses.ts';
import type { CompiledWrites, Rows, SendFailure, WriteKind, WritePort } from './writes.ts';

/** A database that can't be reached is given up after this long, by those that wait for it. */
const UNREACHABLE_BUDGET_MS = 2_000;

/**
 * The only way to write: one request is under way at a time. What is submitted meanwhile
 * gathers and leaves together, ordered by kind, in one transaction where the backend has
 * batches.
 *
 * States: idle (nothing waits) → leaving (what arrives in this turn of the event loop comes
 * along) → away (a request is under way) → idle or leaving; resting (the database gave no
 * answer, and nothing is sent for a while).
 */
export class WriteLane {
  readonly #port: WritePort;
  readonly #deadlines: Deadlines;
  #waiting: Member[] = [];
  #state: 'idle' | 'leaving' | 'away' | 'resting' = 'idle';
  readonly #pauses = new Pauses();
  /** Nothing was left behind by what is under way. */
  #seesAll = true;
  #closed: unknown;

  constructor(port: WritePort, deadlines: Deadlines) {
    this.#port = port;
    this.#deadlines = deadlines;
  }

  /**
   * @param deadlineMs when the caller has waited long enough, on the monotonic clock; never unless given.
   * @throws {TimeUpError} then. A member that is under way stays so, and may be stored.
   */
  submit<M, R>(kind: WriteKind<M, R>, member: M, deadlineMs: number = Number.POSITIVE_INFINITY): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const waiting = newMember(kind, member, { deadlineMs, resolve, reject, onExpire: this.#expire });
      if (this.#closed !== undefined) return reject(this.#closed);
      this.#waiting.push(waiting);
      this.#leaveSoon();
      // What leaves in this turn of the event loop needs no clock.
      if (this.#state !== 'leaving') this.#watch(waiting);
    });
  }

  /** Rejects all that waits or is under way. */
  close(error: unknown): void {
    this.#closed ??= error;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const member of waiting) this.#reject(member, error);
  }

  #watch(member: Member): void {
    if (member.isSettled) return;
    if (member.deadlineMs !== Number.POSITIVE_INFINITY) this.#deadlines.add(member);
  }

  readonly #expire = (member: Member): void => {
    this.#waiting = this.#waiting.filter((each) => each !== member);
    this.#reject(member, new TimeUpError());
  };

  #leaveSoon(): void {
    if (this.#state !== 'idle' || this.#waiting.length === 0) return;
    this.#state = 'leaving';
    // Not at once, so that what arrives in this turn of the event loop leaves together;
    // not on a microtask, which would starve timers and sockets.
    defer(() => {
      this.#state = 'idle';
      if (this.#waiting.length > 0) this.#leave();
    });
  }

  #leave(): void {
    this.#state = 'away';
    const { parts, left } = takeFirst(this.#waiting, this.#port.isRemote ? REMOTE_BOUNDS : LOCAL_BOUNDS);
    this.#waiting = left;
    this.#seesAll = left.length === 0;
    for (const member of left) this.#watch(member);
    const isOneRequest = this.#port.sendsBatches || parts.length === 1;
    void (isOneRequest ? this.#sendTogether(parts) : this.#sendApart(parts)).then((restMs) => {
      if (restMs === 0) {
        this.#state = 'idle';
        this.#leaveSoon();
        return;
      }
      this.#state = 'resting';
      this.#port.clock.schedule(restMs, () => {
        this.#state = 'idle';
        this.#leaveSoon();
      });
    });
  }

  /** Each kind by itself, in order. */
  async #sendApart(parts: readonly Part[]): Promise<number> {
    return await this.#sendInTurn(parts.map((part) => [part]));
  }

  /** Several requests, one after the other. Resolves with how long to rest before the next one, ms. Never rejects. */
  async #sendInTurn(requests: readonly (readonly Part[])[]): Promise<number> {
    for (const parts of requests.slice(1)) for (const member of membersOf(parts)) this.#watch(member);
    for (const [i, parts] of requests.entries()) {
      const restMs = await this.#sendTogether(parts);
      if (restMs === 0) continue;
      // What was not sent yet goes before all that came later.
      this.#putBack(membersOf(requests.slice(i + 1).flat()), () => undefined);
      return restMs;
    }
    return 0;
  }

  async #sendTogether(given: readonly Part[]): Promise<number> {
    const { clock } = this.#port;
    const parts = this.#unsettled(given);
    const members = membersOf(parts);
    const startMs = clock.monotonicMs();
    let compiled: CompiledWrites<unknown>[] = [];
    let answers: Rows[];
    try {
      const { sendsBatches: isBatch, isRemote } = this.#port;
      compiled = compileParts(parts, { isBatch, isRemote, seesAll: this.#seesAll });
      const statements = statementsOf(compiled);
      for (const member of members) member.firstSentMs ??= startMs;
      answers =
        statements.length === 0
          ? []
          : await this.#port.send(statements, {
              // Over a network nothing that writes is cut off: its caller is answered without it.
              deadlineMs: isRemote ? undefined : firstDeadlineMs(members),
            });
    } catch (error) {
      return await this.#settleFailure(await this.#port.judge(error), { parts, members, compiled, startMs });
    }
    this.#pauses.noteAnswer();
    const own = answersByPart(compiled, answers);
    for (const [i, { members }] of parts.entries()) {
      const writes = compiled[i];
      if (writes !== undefined) this.#settle(members, writes, own[i] ?? []);
    }
    return 0;
  }

  /** Without those whose time was up before they were sent. */
  #unsettled(parts: readonly Part[]): readonly Part[] {
    for (const { members } of parts) {
      for (const member of members) {
        // Over a network a caller may have to be answered before the request is.
        if (this.#port.isRemote) this.#watch(member);
        else this.#deadlines.remove(member);
      }
    }
    return withoutSettled(parts);
  }

  #settle(members: readonly Member[], writes: CompiledWrites<unknown>, answers: readonly Rows[]): void {
    let results: readonly unknown[];
    try {
      results = writes.decode(answers);
    } catch (error) {
      for (const member of members) this.#reject(member, error);
      return;
    }
    for (const [i, member] of members.entries()) this.#resolve(member, results[i]);
  }

  async #settleFailure(failure: SendFailure, sent: SentParts): Promise<number> {
    const { members } = sent;
    switch (failure.kind) {
      case 'time-up': {
        const nowMs = Math.max(
          this.#port.clock.monotonicMs(),
          firstDeadlineMs(members) ?? Number.POSITIVE_INFINITY,
        );
        this.#putBack(members, (member) => (member.deadlineMs <= nowMs ? failure.error : undefined));
        return 0;
      }
      case 'busy':
        this.#putBack(members, () => undefined);
        return this.#pauses.afterBusyMs();
      case 'too-large':
      case 'lost': {
        if (failure.kind === 'too-large' && members.length > 1)
          return await this.#sendInTurn(smaller(sent.parts));
        const nowMs = this.#port.clock.monotonicMs();
        const unavailable = new DatabaseUnavailableError('The database is unavailable', {
          cause: failure.error,
        });
        for (const member of members) member.isSentAgain = true;
        this.#putBack(members, ({ firstSentMs = nowMs }) => {
          if (nowMs - firstSentMs <= UNREACHABLE_BUDGET_MS) return undefined;
          this.#port.noteGivenUp();
          return unavailable;
        });
        return this.#pauses.afterLossMs({ waitedMs: nowMs - sent.startMs });
      }
      case 'refused':
        return await this.#sendInnocent(failure, sent);
      case 'failed':
        if (failure.scope === 'statement' && sent.parts.length > 1) return await this.#sendApart(sent.parts);
        for (const member of members) this.#reject(member, failure.error);
        return 0;
    }
  }

  /** In the same order as before: the members of the part whose statement was refused one by one. */
  async #sendInnocent(
    { error, statementIndex }: SendFailure & { kind: 'refused' },
    { parts, members, compiled }: SentParts,
  ): Promise<number> {
    const [only] = members;
    if (members.length === 1 && only !== undefined) {
      this.#reject(only, error);
      return 0;
    }
    const guilty = parts.length === 1 ? parts[0] : partOf({ parts, compiled }, statementIndex);
    if (guilty === undefined) return await this.#sendApart(parts);
    const at = parts.indexOf(guilty);
    const requests = [parts.slice(0, at), ...smaller([guilty]), parts.slice(at + 1)];
    return await this.#sendInTurn(requests.filter(({ length }) => length > 0));
  }

  /** Before all that waits, but for those that are answered now. */
  #putBack(members: readonly Member[], errorOf: (member: Member) => unknown): void {
    const remaining: Member[] = [];
    for (const member of members) {
      if (member.isSettled) continue;
      const error = this.#closed ?? errorOf(member);
      if (error !== undefined) {
        this.#reject(member, error);
        continue;
      }
      remaining.push(member);
      this.#watch(member);
    }
    this.#waiting.unshift(...remaining);
  }

  #resolve(member: Member, result: unknown): void {
    if (member.isSettled) return;
    member.isSettled = true;
    if (this.#port.isRemote) this.#deadlines.remove(member);
    member.resolve(result);
  }

  #reject(member: Member, error: unknown): void {
    if (member.isSettled) return;
    member.isSettled = true;
    this.#deadlines.remove(member);
    member.reject(error);
  }
}
