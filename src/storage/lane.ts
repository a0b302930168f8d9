import { defer } from '../core/time/clock.ts';
import type { Deadlines } from './deadlines.ts';
import {
  answersByPart,
  compileParts,
  firstDeadlineMs,
  LOCAL_BOUNDS,
  membersOf,
  type Part,
  REMOTE_BOUNDS,
  type SentParts,
  statementsOf,
  takeFirst,
  withoutSettled,
} from './departure.ts';
import type { Guest } from './guest.ts';
import { Member } from './member.ts';
import { Pauses } from './pauses.ts';
import { recoveryFrom } from './recovery.ts';
import { RequestMeter } from './request-meter.ts';
import type { CompiledWrites, Rows, SendFailure, WriteKind, WritePort } from './writes.ts';

/**
 * The only way to write. One request is under way at a time. Writes that are submitted meanwhile
 * gather and leave together, ordered by kind, in one transaction if the backend has batches.
 *
 * States: idle (nothing waits) → leaving (writes of this turn of the event loop still join) → away
 * (a request is under way) → idle or leaving. Resting: the database gave no answer, and nothing is
 * sent for a while.
 */
export class WriteLane {
  readonly #port: WritePort;
  readonly #deadlines: Deadlines;
  readonly #meter: RequestMeter;
  #waiting: Member[] = [];
  #state: 'idle' | 'leaving' | 'away' | 'resting' = 'idle';
  readonly #pauses = new Pauses();
  /** The request under way took everything that waited. */
  #seesAll = true;
  #closed: unknown;
  /** What is to be done while no write is under way. */
  readonly #guests: Guest[] = [];
  /** The guest for whom writes wait. */
  #guest: Guest | undefined;

  constructor(port: WritePort, deadlines: Deadlines, meter: RequestMeter = new RequestMeter()) {
    this.#port = port;
    this.#meter = meter;
    this.#deadlines = deadlines;
  }

  /**
   * @param deadlineMs until when the caller waits, on the monotonic clock. It waits forever unless
   * given.
   * @throws {TimeUpError} when the deadline has passed. If the write is under way by then, it may
   * still be stored.
   */
  submit<M, R>(kind: WriteKind<M, R>, member: M, deadlineMs: number = Number.POSITIVE_INFINITY): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const waiting = new Member({
        kind: kind as WriteKind<unknown, unknown>,
        member,
        deadlineMs,
        caller: { resolve: resolve as (result: unknown) => void, reject },
        deadlines: this.#deadlines,
        onExpire: this.#remove,
      });
      const refusal = this.#closed ?? this.#guest?.refuses(kind.name);
      if (refusal !== undefined) return reject(refusal);
      this.#waiting.push(waiting);
      this.#leaveSoon();
      // A write that leaves in this turn of the event loop needs no timer.
      if (this.#state !== 'leaving') waiting.watch();
    });
  }

  /**
   * Calls `work` while no write is under way. Writes that are submitted meanwhile gather, and leave before another guest is let in.
   *
   * @param refuses the error for a write that would keep the work from ending. Called with the name of its kind.
   */
  alone<T>(work: () => Promise<T>, refuses: (kind: string) => unknown): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed !== undefined) return reject(this.#closed);
      this.#guests.push({ refuses, reject, enter: () => work().then(resolve, reject) });
      if (this.#state === 'idle') this.#admit();
    });
  }

  /** Rejects all writes that wait or are under way. */
  close(error: unknown): void {
    this.#closed ??= error;
    for (const { reject } of this.#guests.splice(0)) reject(error);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const member of waiting) member.reject(error);
  }

  readonly #remove = (member: Member): void => {
    this.#waiting = this.#waiting.filter((each) => each !== member);
  };

  #leaveSoon(): void {
    if (this.#state !== 'idle' || this.#waiting.length === 0) return;
    this.#state = 'leaving';
    // Deferred, so that all writes of this turn of the event loop leave together. A microtask would starve
    // timers and sockets.
    defer(() => {
      this.#state = 'idle';
      if (this.#waiting.length > 0) this.#leave();
      else this.#admit();
    });
  }

  /** Lets the first guest in, if nothing is under way. */
  #admit(): void {
    const guest = this.#guests.shift();
    if (guest === undefined) return;
    this.#state = 'away';
    this.#guest = guest;
    for (const member of this.#waiting) member.watch();
    void guest.enter().then(() => {
      this.#guest = undefined;
      this.#state = 'idle';
      this.#leaveSoon();
      if (this.#waiting.length === 0) this.#admit();
    });
  }

  /** Guests and requests take turns. */
  #next(): void {
    this.#state = 'idle';
    if (this.#guests.length > 0) this.#admit();
    else this.#leaveSoon();
  }

  #leave(): void {
    this.#state = 'away';
    const { parts, left } = takeFirst(this.#waiting, this.#port.isRemote ? REMOTE_BOUNDS : LOCAL_BOUNDS);
    this.#waiting = left;
    this.#seesAll = left.length === 0;
    for (const member of left) member.watch();
    const isOneRequest = this.#port.sendsBatches || parts.length === 1;
    void (isOneRequest ? this.#sendTogether(parts) : this.#sendApart(parts)).then((restMs) => {
      if (restMs === 0) return this.#next();
      this.#state = 'resting';
      this.#port.clock.schedule(restMs, () => this.#next());
    });
  }

  /** Sends each kind in a request of its own, in order. */
  async #sendApart(parts: readonly Part[]): Promise<number> {
    return await this.#sendInTurn(parts.map((part) => [part]));
  }

  /**
   * Sends several requests one after the other. Resolves with how long to rest before the next one,
   * ms. Never rejects.
   */
  async #sendInTurn(requests: readonly (readonly Part[])[]): Promise<number> {
    for (const parts of requests.slice(1)) for (const member of membersOf(parts)) member.watch();
    for (const [i, parts] of requests.entries()) {
      const restMs = await this.#sendTogether(parts);
      if (restMs === 0) continue;
      this.#putBack(membersOf(requests.slice(i + 1).flat()), () => undefined, membersOf(parts));
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
              // Over a network a write is never cut off. Its caller is answered while it is under way.
              deadlineMs: isRemote ? undefined : firstDeadlineMs(members),
            });
    } catch (error) {
      this.#meter.noteFailure('write');
      return await this.#recover(await this.#port.judge(error), { parts, members, compiled, startMs });
    }
    if (answers.length > 0) {
      this.#meter.noteGroup(members.length);
      this.#meter.noteAnswer('write', clock.monotonicMs() - startMs);
    }
    this.#pauses.noteAnswer();
    const own = answersByPart(compiled, answers);
    for (const [i, { members }] of parts.entries()) {
      const writes = compiled[i];
      if (writes !== undefined) this.#settle(members, writes, own[i] ?? []);
    }
    return 0;
  }

  /** The parts without members whose time was up before they were sent. */
  #unsettled(parts: readonly Part[]): readonly Part[] {
    for (const { members } of parts) {
      for (const member of members) {
        // Over a network a caller may have to be answered before its request is.
        if (this.#port.isRemote) member.watch();
        else member.unwatch();
      }
    }
    return withoutSettled(parts);
  }

  #settle(members: readonly Member[], writes: CompiledWrites<unknown>, answers: readonly Rows[]): void {
    let results: readonly unknown[];
    try {
      results = writes.decode(answers);
    } catch (error) {
      for (const member of members) member.reject(error);
      return;
    }
    for (const [i, member] of members.entries()) member.resolve(results[i]);
  }

  async #recover(failure: SendFailure, sent: SentParts): Promise<number> {
    const recovery = recoveryFrom(failure, sent, { port: this.#port, pauses: this.#pauses });
    switch (recovery.kind) {
      case 'put-back':
        this.#putBack(sent.members, recovery.errorOf);
        return recovery.restMs;
      case 'send-apart':
        return await this.#sendInTurn(recovery.requests);
      case 'reject':
        for (const member of sent.members) member.reject(recovery.error);
        return 0;
    }
  }

  /** Puts members back behind `earlier` and before those that came later. Members with an error are answered with it. */
  #putBack(
    members: readonly Member[],
    errorOf: (member: Member) => unknown,
    earlier: readonly Member[] = [],
  ): void {
    const remaining: Member[] = [];
    for (const member of members) {
      if (member.isSettled) continue;
      const error = this.#closed ?? errorOf(member);
      if (error !== undefined) {
        member.reject(error);
        continue;
      }
      remaining.push(member);
      member.watch();
    }
    const at = this.#waiting.findLastIndex((member) => earlier.includes(member)) + 1;
    this.#waiting.splice(at, 0, ...remaining);
  }
}
