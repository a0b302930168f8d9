import { type CompiledQuery, type Dialect, Kysely } from 'kysely';
import { CALLER_BUDGET_MS } from '../../../core/call.ts';
import type { DatabaseTrouble } from '../../../core/durably.ts';
import { DatabaseUnavailableError, DurablyError, ValidationError } from '../../../core/errors/errors.ts';
import { type PauseBounds, pauseBeforeRetry } from '../../../core/retries/retry-pause.ts';
import type { Clock } from '../../../core/time/clock.ts';
import { Deadlines, TimeUpError } from '../../deadlines.ts';
import { WriteLane } from '../../lane.ts';
import { RequestMeter } from '../../request-meter.ts';
import type { Sql, WriteKind } from '../../writes.ts';
import { ownQuery, type StatementKind } from '../query.ts';
import type { Schema } from '../schema.ts';
import { Closing } from './closing.ts';
import {
  AccessRefusedError,
  classifyDatabaseError,
  type DatabaseFault,
  unavailable,
} from './database-error.ts';
import { DialectCheck, READ_CHECK, readOnlyError, WRITE_CHECK } from './dialect-check.ts';
import { explainRefusal } from './explain-refusal.ts';
import { GuardedDialect } from './guard/guarded-dialect.ts';
import type { GuardedDriver } from './guard/guarded-driver.ts';
import { withDeadline } from './query-deadline.ts';
import { ServerWatch, type WriteOutage } from './server-watch.ts';
import type { Statement } from './statement.ts';
import { READ, WriteHealth } from './write-health.ts';
import { WriteSender } from './write-sender.ts';

const UNREACHABLE_BUDGET_MS = 2_000;
const LOSS_PAUSE: PauseBounds = { firstMs: 20, maxMs: 250 };
/**
 * If a write to a file waits this long, the file counts as unfit for writes: another program may
 * hold its lock.
 */
const MAX_WAIT_MS = 2_000;
/**
 * A healthy server may answer after five to ten seconds, when it takes the lock from a writer that
 * vanished.
 */
const MAX_REMOTE_WAIT_MS = 10_000;

export interface ConnectionOptions {
  readonly dialect: Dialect;
  readonly clock: Clock;
  /** Renews the dialect's connection after SQLITE_BUSY, if its driver cannot. */
  readonly reconnect?: (() => void | Promise<void>) | undefined;
  /** Called once, when the connection was closed for good. */
  readonly onClosed?: ((error: DatabaseUnavailableError) => void) | undefined;
  /** Called when a server takes no writes though it answers reads, and when it takes them again. */
  readonly onWriteOutage?: ((outage: WriteOutage) => void) | undefined;
  /** False if the dialect is known and an additional request is expensive. */
  readonly checksAtFirstUse?: boolean | undefined;
}

/** A write that only tests whether writes work. */
const probes: WriteKind<Sql, void> = {
  name: 'probe',
  place: 0,
  sizeOf: () => ({ rows: 1, chars: 0 }),
  compile: (members) => ({ statements: members.slice(0, 1), decode: () => members.map(() => undefined) }),
};

/** The connection to the database. Reads leave at once, writes pass the lane. */
export class Connection {
  readonly db: Kysely<Schema>;
  readonly lane: WriteLane;
  readonly meter = new RequestMeter();
  readonly #driver: GuardedDriver;
  readonly clock: Clock;
  readonly #health: WriteHealth;
  readonly #watch: ServerWatch;
  readonly #closing = new Closing();
  readonly #check = new DialectCheck();
  /** Whether the first statement checks the dialect, unless `migrate` did. */
  readonly #checksAtFirstUse: boolean;

  constructor(options: ConnectionOptions) {
    if (options.onClosed) this.#closing.onClose(options.onClosed);
    this.clock = options.clock;
    this.#health = new WriteHealth(options.clock);
    this.#checksAtFirstUse = options.checksAtFirstUse ?? true;
    const dialect = new GuardedDialect(options.dialect, {
      ...options,
      closing: this.#closing,
      onRenewal: () => this.meter.noteRenewal(),
    });
    this.#driver = dialect.driver;
    this.db = new Kysely<Schema>({ dialect });
    this.#watch = new ServerWatch({
      clock: options.clock,
      read: () => this.execute({ ...READ, deadlineMs: this.callerDeadline() }),
      onWriteOutage: options.onWriteOutage ?? (() => undefined),
    });
    const sender = new WriteSender({
      clock: options.clock,
      driver: this.#driver,
      health: this.#health,
      watch: this.#watch,
      closing: this.#closing,
      check: this.#check,
      checksAtFirstUse: this.#checksAtFirstUse,
      executeOnce: (kind, statement, deadlineMs) => this.#executeOnce(kind, statement, deadlineMs),
      explain: (error) => this.#explain(error),
    });
    this.lane = new WriteLane(sender, new Deadlines(options.clock), this.meter);
    this.#closing.onClose((error) => this.lane.close(error));
  }

  /** The deadline of a call that begins now. All statements of a call share it. */
  callerDeadline(): number {
    return this.clock.monotonicMs() + CALLER_BUDGET_MS;
  }

  /**
   * Refuses a dialect whose answers cannot be read. Over a network the first write checks this.
   * @throws {ValidationError}
   */
  async checkReads(): Promise<void> {
    if (this.#driver.isRemote) return;
    const { rows } = await this.db.executeQuery(ownQuery(READ_CHECK));
    this.#check.noteAnswer(rows as Record<string, unknown>[]);
  }

  /** Receives the rows that a {@link WRITE_CHECK} returned. @throws {ValidationError} */
  noteWritten(rows: readonly Readonly<Record<string, unknown>>[]): void {
    this.#check.noteWritten(rows);
  }

  /**
   * Makes one test write. Over a network the migration has already made one. A lock or a full disk
   * is no reason to refuse, because it may pass.
   *
   * @throws {DatabaseUnavailableError} if nothing can be written @throws {ValidationError}
   */
  async checkWrites(): Promise<void> {
    if (this.#driver.isRemote) return;
    const query = withDeadline(ownQuery(WRITE_CHECK), this.clock.monotonicMs());
    try {
      const { rows } = await this.db.executeQuery(query);
      this.#check.noteWritten(rows as Record<string, unknown>[]);
    } catch (error) {
      if (error instanceof ValidationError) throw error;
      if (error instanceof DatabaseUnavailableError && error.permanent) throw error;
      const refusal = readOnlyError(error, classifyDatabaseError(error, false));
      if (refusal) throw refusal;
    }
  }

  /** @throws {DatabaseUnavailableError} if it was closed, as far as the driver says so without being used. */
  checkOpen(): void {
    this.#driver.checkOpen();
  }

  /** Puts a local file into its fastest mode. Call it only when the file is known to be durably's. */
  async tune(): Promise<void> {
    await this.#driver.tune();
  }

  /** Executes statements in one request and one transaction. Undefined if the driver cannot. */
  get batch() {
    return this.#driver.batch;
  }

  get isRemote(): boolean {
    return this.#driver.isRemote;
  }

  /** Sets the error for callers that would keep an open transaction from ending by waiting for it. */
  set refusal(refusal: (() => unknown) | undefined) {
    this.#driver.refusal = refusal;
  }

  /** Executes a read. It is sent again if its answer was lost. @throws {DatabaseUnavailableError} */
  async execute<Row>(statement: Statement<Row>): Promise<Row[]> {
    if (this.#checksAtFirstUse && !this.#check.isReadChecked) {
      const { deadlineMs = this.callerDeadline() } = statement;
      this.#check.noteAnswer(await this.#read<Record<string, unknown>>({ ...READ_CHECK, deadlineMs }));
      return await this.#read({ ...statement, deadlineMs });
    }
    return await this.#read(statement);
  }

  async #read<Row>(statement: Statement<Row>): Promise<Row[]> {
    const start = this.clock.monotonicMs();
    const { deadlineMs } = statement;
    for (let tries = 0; ; tries++) {
      if (this.#closing.error) throw this.#closing.error;
      const sentMs = this.clock.monotonicMs();
      try {
        const rows = await this.#executeOnce('read', statement, deadlineMs);
        this.meter.noteAnswer('read', this.clock.monotonicMs() - sentMs);
        this.#watch.noteRead('answered');
        return this.#check.readable(rows) as Row[];
      } catch (error) {
        this.meter.noteFailure('read');
        this.#watch.noteRead(this.#faultOf(error) === 'uncertain' ? 'lost' : 'refused');
        await this.#pauseOrThrow(error, { start, deadlineMs, tries });
      }
    }
  }

  async #executeOnce(
    kind: StatementKind,
    { sql, parameters }: Sql,
    deadlineMs: number | undefined,
  ): Promise<Record<string, unknown>[]> {
    const query = ownQuery({ kind, sql, parameters });
    if (deadlineMs !== undefined) withDeadline(query, deadlineMs);
    const { rows } = await (this.#driver.isReady ? this.#driver.execute(query) : this.db.executeQuery(query));
    return rows as Record<string, unknown>[];
  }

  #faultOf(error: unknown): DatabaseFault {
    return classifyDatabaseError(error, this.#driver.isRemote);
  }

  /** Executes a query that was built with Kysely. @throws {DatabaseUnavailableError} */
  query<Row>(query: CompiledQuery<Row>): Promise<Row[]> {
    return this.execute<Row>({ sql: query.sql, parameters: query.parameters as (string | number)[] });
  }

  /**
   * Resolves if the database is migrated and, as far as is known, accepts writes. @throws
   * {DatabaseUnavailableError}
   */
  async ping(): Promise<void> {
    if (this.#closing.error) throw this.#closing.error;
    const { isRemote } = this;
    // Its answer distinguishes a server that takes no writes from one that does not answer.
    const hasRead = isRemote && this.#health.isDoubtful;
    if (hasRead) await this.execute(READ);
    const question = this.#health.question({ maxWaitMs: isRemote ? MAX_REMOTE_WAIT_MS : MAX_WAIT_MS });
    if (question.kind === 'write') await this.lane.submit(probes, question, this.callerDeadline());
    else if (!hasRead) await this.execute(question);
  }

  /** Why {@link ping} found a server unfit. Undefined for a file, and if the server's own error says why. */
  get trouble(): DatabaseTrouble | undefined {
    return this.isRemote && !this.#closing.error ? this.#watch.trouble : undefined;
  }

  async #pauseOrThrow(
    error: unknown,
    { start, deadlineMs, tries }: { start: number; deadlineMs: number | undefined; tries: number },
  ): Promise<void> {
    if (this.#closing.error) throw this.#closing.error;
    if (error instanceof DurablyError) throw error;
    const fault = this.#faultOf(error);
    if (fault === 'statement') throw await this.#explain(error);
    if (fault === 'denied') throw new AccessRefusedError(error);
    const nowMs = this.clock.monotonicMs();
    if (fault === 'uncertain' && deadlineMs !== undefined && nowMs >= deadlineMs)
      throw new TimeUpError(error);
    const isLate = tries > 0 && nowMs - start > UNREACHABLE_BUDGET_MS;
    if (fault !== 'uncertain' || isLate) throw unavailable(error);
    await pauseBeforeRetry(this.clock, tries, LOSS_PAUSE);
  }

  #explain(error: unknown): Promise<unknown> {
    return explainRefusal(error, { db: this.db, closing: this.#closing, isRemote: this.isRemote });
  }
}
