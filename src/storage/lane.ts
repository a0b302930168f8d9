import { type Clock, defer } from '../core/clock.ts';
import { DatabaseUnavailableError } from '../core/errors/errors.ts';
import { type Deadlines, TimeUpError, type Waiter } from './deadlines.ts';

/** SQL and its parameters. */
export interface Sql {
  readonly sql: string;
  readonly parameters: readonly (string | number)[];
}

export type Rows = readonly Readonly<Record<string, unknown>>[];

/** One kind of write: how its members become statements, and what the answers mean to each. */
export interface WriteKind<M, R> {
  readonly name: string;
  /** Kinds leave in this order. */
  readonly place: number;
  readonly sizeOf: (member: M) => WriteSize;
  /**
   * Called when the members leave, and again whenever they leave again: what it answers
   * must be harmless then.
   */
  readonly compile: (members: readonly M[], sending: Sending) => CompiledWrites<R>;
}

export interface WriteSize {
  readonly rows: number;
  readonly chars: number;
}

export interface Sending {
  /** Some of the members were sent before and may be stored since. */
  readonly isSentAgain: boolean;
  /** Several statements are one transaction. Without that they are executed one after another. */
  readonly isBatch: boolean;
  /** A read that goes along saves a round trip. */
  readonly isRemote: boolean;
}

export interface CompiledWrites<R> {
  /** None if there is nothing to do after all. */
  readonly statements: readonly Sql[];
  /** The members' results in order. */
  readonly decode: (answers: readonly Rows[]) => readonly R[];
}

/** What became of a sending that failed. */
export type SendFailure =
  /** The first deadline has passed, and nothing was executed. */
  | { readonly kind: 'time-up'; readonly error: TimeUpError }
  /** The answer was lost, so it may have been executed. */
  | { readonly kind: 'lost'; readonly error: unknown }
  /** The database was busy, and nothing was executed. */
  | { readonly kind: 'busy'; readonly error: unknown }
  /** A statement or a parameter would fail again. Nothing was executed. */
  | { readonly kind: 'refused'; readonly error: unknown; readonly statementIndex: number | undefined }
  /** The database can't be written to, in general or by one of these statements: a disk may have room for a small one. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly scope: 'all' | 'statement' };

/** The way to a backend. */
export interface WritePort {
  readonly clock: Clock;
  /** Whether several statements can be sent in one transaction. */
  readonly sendsBatches: boolean;
  /** Whether the caller of a write can be answered while the write is under way. */
  readonly isRemote: boolean;
  /** Sends statements once, in one transaction where it can. Answers with the rows of each. */
  send(statements: readonly Sql[], options: { readonly deadlineMs: number | undefined }): Promise<Rows[]>;
  /** What an error of `send` means. */
  judge(error: unknown): SendFailure | Promise<SendFailure>;
  /** Called when the answer was lost so long that callers are told. */
  noteGivenUp(): void;
}

/** What leaves together holds at most so much. Locally the event loop waits while it is stored. */
const LOCAL_BOUNDS: WriteSize = { rows: 200, chars: 256 * 1024 };
const REMOTE_BOUNDS: WriteSize = { rows: 1_000, chars: 1024 * 1024 };

/** A database that can't be reached is given up after this long, by those that wait for it. */
const UNREACHABLE_BUDGET_MS = 2_000;
const MAX_PAUSE_MS = 250;
/** A request that is lost after this long got no answer: the database hangs. */
const SILENT_AFTER_MS = 10_000;
/** The pause after a request that got no answer. It doubles with each of them in a row. */
const FIRST_REST_MS = 1_000;
const MAX_REST_MS = 30_000;

interface Member extends Waiter {
  readonly kind: WriteKind<unknown, unknown>;
  readonly member: unknown;
  readonly size: WriteSize;
  /** When it was first sent, on the monotonic clock. */
  firstSentMs: number | undefined;
  isSentAgain: boolean;
  /** Its caller has been answered. */
  isSettled: boolean;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** Members of one kind that leave together. */
interface Part {
  readonly kind: WriteKind<unknown, unknown>;
  readonly members: readonly Member[];
}

/** What left together, and what was made of it. */
interface SentParts {
  readonly parts: readonly Part[];
  readonly members: readonly Member[];
  /** In the order of the parts. */
  readonly compiled: readonly CompiledWrites<unknown>[];
  readonly startMs: number;
}

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
  /** Requests in a row whose answers were lost. */
  #lost = 0;
  /** Requests in a row that were given up without an answer. */
  #silent = 0;
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
      const waiting: Member = {
        kind: kind as WriteKind<unknown, unknown>,
        member,
        size: kind.sizeOf(member),
        deadlineMs,
        firstSentMs: undefined,
        isSentAgain: false,
        isSettled: false,
        resolve: resolve as (result: unknown) => void,
        reject,
        expire: () => this.#expire(waiting),
      };
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

  #expire(member: Member): void {
    this.#waiting = this.#waiting.filter((each) => each !== member);
    this.#reject(member, new TimeUpError());
  }

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
    const parts = this.#take();
    void this.#send(parts).then((restMs) => {
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

  /** The first of those that wait, as many as fit together, by kind. */
  #take(): Part[] {
    const { isRemote } = this.#port;
    const bounds = isRemote ? REMOTE_BOUNDS : LOCAL_BOUNDS;
    const byKind = new Map<WriteKind<unknown, unknown>, Member[]>();
    let rows = 0;
    let chars = 0;
    const left: Member[] = [];
    for (const member of this.#waiting) {
      const { size } = member;
      const fits = rows + size.rows <= bounds.rows && chars + size.chars <= bounds.chars;
      // None overtakes another: a claim sees the runs that were added before it was asked for.
      if (left.length > 0 || (!fits && byKind.size > 0)) {
        left.push(member);
        continue;
      }
      rows += size.rows;
      chars += size.chars;
      const members = byKind.get(member.kind);
      if (members === undefined) byKind.set(member.kind, [member]);
      else members.push(member);
    }
    this.#waiting = left;
    const parts = [...byKind].map(([kind, members]): Part => ({ kind, members }));
    return parts.length === 1 ? parts : parts.sort((a, b) => a.kind.place - b.kind.place);
  }

  /** Resolves with how long to rest before the next request, ms. Never rejects. */
  async #send(parts: readonly Part[]): Promise<number> {
    if (this.#port.sendsBatches || parts.length === 1) return await this.#sendTogether(parts);
    return await this.#sendApart(parts);
  }

  async #sendApart(parts: readonly Part[]): Promise<number> {
    for (const { members } of parts.slice(1)) for (const member of members) this.#watch(member);
    for (const [i, part] of parts.entries()) {
      const restMs = await this.#sendTogether([part]);
      if (restMs === 0) continue;
      // What was not sent yet goes before all that came later.
      this.#putBack(
        parts.slice(i + 1).flatMap(({ members }) => members),
        () => undefined,
      );
      return restMs;
    }
    return 0;
  }

  async #sendTogether(given: readonly Part[]): Promise<number> {
    const { clock } = this.#port;
    const parts = this.#unsettled(given);
    const members = parts.flatMap((part) => part.members);
    const startMs = clock.monotonicMs();
    let compiled: CompiledWrites<unknown>[] = [];
    let answers: Rows[];
    try {
      compiled = parts.map(({ kind, members }) =>
        kind.compile(
          members.map(({ member }) => member),
          {
            isSentAgain: members.some(({ isSentAgain }) => isSentAgain),
            isBatch: this.#port.sendsBatches,
            isRemote: this.#port.isRemote,
          },
        ),
      );
      const statements = compiled.flatMap((writes) => writes.statements);
      for (const member of members) member.firstSentMs ??= startMs;
      answers = statements.length === 0 ? [] : await this.#port.send(statements, this.#sendingOf(members));
    } catch (error) {
      return await this.#settleFailure(await this.#port.judge(error), { parts, members, compiled, startMs });
    }
    this.#lost = 0;
    this.#silent = 0;
    let begin = 0;
    for (const [i, { members }] of parts.entries()) {
      const writes = compiled[i];
      if (writes === undefined) continue;
      const end = begin + writes.statements.length;
      this.#settle(members, writes, answers.slice(begin, end));
      begin = end;
    }
    return 0;
  }

  /** Without those whose time was up before they were sent. */
  #unsettled(parts: readonly Part[]): readonly Part[] {
    let hasSettled = false;
    for (const { members } of parts) {
      for (const member of members) {
        hasSettled ||= member.isSettled;
        // Over a network a caller may have to be answered before the request is.
        if (this.#port.isRemote) this.#watch(member);
        else this.#deadlines.remove(member);
      }
    }
    if (!hasSettled) return parts;
    return parts
      .map(({ kind, members }) => ({ kind, members: members.filter(({ isSettled }) => !isSettled) }))
      .filter(({ members }) => members.length > 0);
  }

  #sendingOf(members: readonly Member[]): { deadlineMs: number | undefined } {
    // Over a network nothing that writes is cut off: its caller is answered without it.
    if (this.#port.isRemote) return { deadlineMs: undefined };
    const deadlineMs = Math.min(...members.map((member) => member.deadlineMs));
    return { deadlineMs: deadlineMs === Number.POSITIVE_INFINITY ? undefined : deadlineMs };
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
          Math.min(...members.map(({ deadlineMs }) => deadlineMs)),
        );
        this.#putBack(members, (member) => (member.deadlineMs <= nowMs ? failure.error : undefined));
        return 0;
      }
      case 'busy':
        this.#putBack(members, () => undefined);
        return this.#pauseMs();
      case 'lost': {
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
        if (nowMs - sent.startMs < SILENT_AFTER_MS) return this.#pauseMs();
        return Math.min(MAX_REST_MS, FIRST_REST_MS * 2 ** this.#silent++);
      }
      case 'refused':
        return await this.#sendInnocent(failure, sent);
      case 'failed':
        if (failure.scope === 'statement' && sent.parts.length > 1) return await this.#sendApart(sent.parts);
        for (const member of members) this.#reject(member, failure.error);
        return 0;
    }
  }

  /** Without those whose statement was refused; these one by one. */
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
    const innocent = parts.filter((part) => part !== guilty);
    const alone = guilty.members.map((member): Part => ({ kind: guilty.kind, members: [member] }));
    if (innocent.length === 0) return await this.#sendApart(alone);
    const restMs = await this.#sendTogether(innocent);
    if (restMs === 0) return await this.#sendApart(alone);
    this.#putBack(guilty.members, () => undefined);
    return restMs;
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

  #pauseMs(): number {
    return Math.max(1, Math.random() * Math.min(MAX_PAUSE_MS, 20 * 2 ** this.#lost++));
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

/** Whose statement it was; undefined if that is not known. */
function partOf(
  { parts, compiled }: Pick<SentParts, 'parts' | 'compiled'>,
  statementIndex: number | undefined,
): Part | undefined {
  if (statementIndex === undefined) return undefined;
  let end = 0;
  return parts.find((_, i) => {
    end += compiled[i]?.statements.length ?? 0;
    return statementIndex < end;
  });
}
