import { type CompiledQuery, type Dialect, Kysely } from 'kysely';
import type { Clock } from '../../../core/clock.ts';
import { DatabaseUnavailableError, DurablyError, ValidationError } from '../../../core/errors/errors.ts';
import { CALLER_BUDGET_MS } from '../../../core/store.ts';
import { type OwnStatement, ownQuery, type StatementKind } from '../query.ts';
import type { Schema } from '../schema.ts';
import { Closing } from './closing.ts';
import { AccessRefusedError, classifyDatabaseError, isRefusedByDriver } from './database-error.ts';
import { TimeUpError, withDeadline } from './deadline.ts';
import { DialectCheck, READ_CHECK, readOnlyError, WRITE_CHECK } from './dialect-check.ts';
import { GuardedDialect } from './guarded-dialect.ts';
import { rowsOf } from './libsql-client.ts';
import type { Statement } from './statement.ts';
import { WriteHealth } from './write-health.ts';

const UNREACHABLE_BUDGET_MS = 2_000;
const MAX_PAUSE_MS = 250;
const MAX_REMOTE_GROUPS = 8;

export interface ConnectionOptions {
  readonly dialect: Dialect;
  readonly clock: Clock;
  /** Renews the dialect's connection after SQLITE_BUSY, where its driver has no client that can. */
  readonly reconnect?: (() => void | Promise<void>) | undefined;
  /** Called once, when the connection was closed for good. */
  readonly onClosed?: ((error: DatabaseUnavailableError) => void) | undefined;
  /** False where an additional request is expensive and the dialect is known. */
  readonly checksAtFirstUse?: boolean | undefined;
}

/**
 * The way to the database. A statement whose answer was lost is sent again, so
 * it must be harmless when executed twice, or say what to ask instead.
 */
export class Connection {
  readonly db: Kysely<Schema>;
  readonly #dialect: GuardedDialect;
  readonly clock: Clock;
  readonly #health: WriteHealth;
  readonly #closing = new Closing();
  readonly #check = new DialectCheck();
  /** Whether the first statement checks the dialect, if `migrate` has not. */
  readonly #checksAtFirstUse: boolean;

  constructor(options: ConnectionOptions) {
    if (options.onClosed) this.#closing.onClose(options.onClosed);
    this.clock = options.clock;
    this.#health = new WriteHealth(options.clock);
    this.#checksAtFirstUse = options.checksAtFirstUse ?? true;
    this.#dialect = new GuardedDialect(options.dialect, { ...options, closing: this.#closing });
    this.db = new Kysely<Schema>({ dialect: this.#dialect });
  }

  /**
   * How many groups of one kind of write may be under way. Locally one, since a
   * statement holds the event loop anyway. Over a network the next group need not wait
   * for the answer to the last.
   */
  get maxUnderWay(): number {
    return this.#dialect.isRemote ? MAX_REMOTE_GROUPS : 1;
  }

  /** The deadline of a call that begins now. All statements of a call share it. */
  callerDeadline(): number {
    return this.clock.monotonicMs() + CALLER_BUDGET_MS;
  }

  /** Refuses a dialect whose answers can't be read; over a network the first write does. @throws {ValidationError} */
  async checkReads(): Promise<void> {
    if (this.#dialect.isRemote) return;
    const { rows } = await this.db.executeQuery(ownQuery(READ_CHECK));
    this.#check.noteAnswer(rows as Record<string, unknown>[]);
  }

  /** The rows that a {@link WRITE_CHECK} was answered. @throws {ValidationError} */
  noteWritten(rows: readonly Readonly<Record<string, unknown>>[]): void {
    this.#check.noteWritten(rows);
  }

  /**
   * Makes a test write, once; over a network the migration has made one. A lock or a full
   * disk may pass, so they are no reason to refuse.
   *
   * @throws {DatabaseUnavailableError} if nothing can be written @throws {ValidationError}
   */
  async checkWrites(): Promise<void> {
    if (this.#dialect.isRemote) return;
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

  /** Puts a local file into its fastest mode, once it is known to be ours. */
  async tune(): Promise<void> {
    await this.#dialect.tune();
  }

  /** Executes statements in one request and one transaction, where the driver can and a network makes it worth it. */
  get batch() {
    return this.#dialect.batch;
  }

  get isRemote(): boolean {
    return this.#dialect.isRemote;
  }

  /** Whether an error lies in the statement or its parameters, and would come again. */
  readonly isStatementFault = (error: unknown): boolean =>
    !(error instanceof DurablyError) && classifyDatabaseError(error, this.#dialect.isRemote) === 'statement';

  /** @throws {DatabaseUnavailableError} */
  async execute<Row>(statement: Statement<Row>): Promise<Row[]> {
    const noteEnd = this.#health.noteBegin(statement.kind);
    try {
      if (this.#checksAtFirstUse && !this.#check.isWriteChecked) await this.#checkAtFirstUse(statement);
      return await this.#send(statement);
    } finally {
      noteEnd();
    }
  }

  async #checkAtFirstUse({ kind, deadlineMs }: Statement<unknown>): Promise<void> {
    if (kind === 'read') {
      if (this.#check.isReadChecked) return;
      const rows = await this.#send<Record<string, unknown>>(READ_CHECK);
      this.#check.noteAnswer(rows);
    } else if (!this.#check.isWriteChecked) {
      const rows = await this.#send<Record<string, unknown>>({ ...WRITE_CHECK, deadlineMs });
      this.#check.noteWritten(rows);
    }
  }

  async #send<Row>(statement: Statement<Row>): Promise<Row[]> {
    const start = this.clock.monotonicMs();
    const { deadlineMs } = statement;
    let sent: OwnStatement = statement;
    for (let tries = 0; ; tries++) {
      if (this.#closing.error) throw this.#closing.error;
      statement.onSend?.();
      try {
        const query = ownQuery(sent);
        if (deadlineMs !== undefined) withDeadline(query, deadlineMs);
        const { rows } = await (this.#dialect.execute?.(query) ?? this.db.executeQuery(query));
        this.#health.noteSuccess(sent.kind, rows.length);
        return this.#check.readable(rows as Record<string, unknown>[]) as Row[];
      } catch (error) {
        await this.#pauseOrThrow(error, { start, deadlineMs, tries, kind: sent.kind });
        sent = statement.ifAnswerLost ?? statement;
      }
    }
  }

  /**
   * Executes writes together, where there is a {@link batch}: all of them or none. Sent
   * again when the answer was lost, so they must be harmless then.
   *
   * @throws {DatabaseUnavailableError}
   */
  async executeBatch<Row>(
    statements: readonly Statement<Row>[],
    { deadlineMs, onSend }: Pick<Statement<Row>, 'deadlineMs' | 'onSend'>,
  ): Promise<Row[][]> {
    const { batch } = this;
    if (!batch) throw new Error('this connection executes no batches');
    const noteEnd = this.#health.noteBegin('write');
    try {
      const start = this.clock.monotonicMs();
      for (let tries = 0; ; tries++) {
        onSend?.();
        try {
          const results = (await batch(statements)).map(rowsOf);
          this.#health.noteSuccess('write', results.length);
          return results.map((rows) => this.#check.readable(rows) as Row[]);
        } catch (error) {
          await this.#pauseOrThrow(error, { start, deadlineMs, tries, kind: 'write' });
        }
      }
    } finally {
      noteEnd();
    }
  }

  /** A read built with Kysely. @throws {DatabaseUnavailableError} */
  query<Row>(query: CompiledQuery<Row>): Promise<Row[]> {
    return this.execute<Row>({
      kind: 'read',
      sql: query.sql,
      parameters: query.parameters as (string | number)[],
    });
  }

  /** Resolves when the database is migrated and, as far as is known, takes writes. @throws {DatabaseUnavailableError} */
  async ping(): Promise<void> {
    await this.execute(this.#health.question());
  }

  async #pauseOrThrow(
    error: unknown,
    {
      start,
      deadlineMs,
      tries,
      kind,
    }: { start: number; deadlineMs: number | undefined; tries: number; kind: StatementKind },
  ): Promise<void> {
    if (this.#closing.error) throw this.#closing.error;
    if (error instanceof DurablyError) {
      this.#health.noteFailure(kind);
      throw error;
    }
    const fault = classifyDatabaseError(error, this.#dialect.isRemote);
    if (fault === 'statement') throw await this.#explain(error);
    if (fault === 'denied') {
      this.#health.noteFailure(kind);
      throw new AccessRefusedError(error);
    }
    const nowMs = this.clock.monotonicMs();
    if (fault === 'uncertain' && deadlineMs !== undefined && nowMs >= deadlineMs) {
      this.#health.noteFailure(kind);
      throw new TimeUpError(error);
    }
    const isLate = tries > 0 && nowMs - start > UNREACHABLE_BUDGET_MS;
    if (fault !== 'uncertain' || isLate) {
      this.#health.noteFailure(kind);
      throw new DatabaseUnavailableError('The database is unavailable', { cause: error });
    }
    const pauseMs = Math.random() * Math.min(MAX_PAUSE_MS, 20 * 2 ** tries);
    await new Promise<void>((resolve) => this.clock.schedule(pauseMs, resolve));
  }

  /** A statement may be refused because the database is not migrated. */
  async #explain(error: unknown): Promise<unknown> {
    const tables = await this.db
      .selectFrom('sqlite_master')
      .select('name')
      .where('name', '=', 'durably_schema_versions')
      .execute()
      .catch((refusal: unknown) => {
        if (this.#closing.error) throw this.#closing.error;
        // If even this can't be read, it is unknown whether the database is migrated.
        if (!this.isStatementFault(refusal) || !isRefusedByDriver(refusal)) return undefined;
        throw this.#closing.close(refusal);
      });
    if (tables === undefined || tables.length > 0) return error;
    return new DatabaseUnavailableError('The database is not migrated: call init() or migrate() first', {
      cause: error,
    });
  }
}
