import { CompiledQuery, type Dialect, Kysely } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { DatabaseUnavailableError, DurablyError } from '../core/errors.ts';
import { Closing } from './closing.ts';
import { AccessRefusedError, classifyDatabaseError, isRefusedByDriver } from './database-error.ts';
import { GuardedDialect } from './guarded-dialect.ts';
import type { Schema } from './schema.ts';
import { WriteHealth } from './write-health.ts';

const UNREACHABLE_BUDGET_MS = 2_000;
const MAX_PAUSE_MS = 250;
const MAX_REMOTE_GROUPS = 8;

/** SQL with its row type; parameters are texts and whole numbers only. */
export interface Statement<Row> {
  readonly sql: string;
  readonly parameters: readonly (string | number)[];
  /** What to ask instead of sending the statement again, for one that must not be executed twice. */
  readonly ifAnswerLost?: { readonly sql: string; readonly parameters: readonly (string | number)[] };
  /** Called at each sending. */
  readonly onSend?: () => void;
  /** Carries the row type; never set. */
  readonly '~row'?: Row;
}

export interface ConnectionOptions {
  readonly dialect: Dialect;
  readonly clock: Clock;
  /** Renews the dialect's connection after SQLITE_BUSY, where its driver has no client that can. */
  readonly reconnect?: (() => void | Promise<void>) | undefined;
  /** Called once, when the connection was closed for good. */
  readonly onClosed?: ((error: DatabaseUnavailableError) => void) | undefined;
}

/**
 * The way to the database. A statement whose answer was lost is sent again, so
 * it must be harmless when executed twice, or say what to ask instead.
 */
export class Connection {
  readonly db: Kysely<Schema>;
  readonly #dialect: GuardedDialect;
  readonly #clock: Clock;
  readonly #health: WriteHealth;
  readonly #closing = new Closing();

  constructor(options: ConnectionOptions) {
    if (options.onClosed) this.#closing.onClose(options.onClosed);
    this.#clock = options.clock;
    this.#health = new WriteHealth(options.clock);
    this.#dialect = new GuardedDialect(options.dialect, { ...options, closing: this.#closing });
    this.db = new Kysely<Schema>({ dialect: this.#dialect });
  }

  /**
   * How many groups of one kind of write are worth having under way: locally a
   * statement holds the event loop anyway, over a network the next need not
   * wait for the answer to the last.
   */
  get maxUnderWay(): number {
    return this.#dialect.isRemote ? MAX_REMOTE_GROUPS : 1;
  }

  /** Executes statements in one request and one transaction, where the driver can and a network makes it worth it. */
  get batch() {
    return this.#dialect.batch;
  }

  get isRemote(): boolean {
    return this.#dialect.isRemote;
  }

  get canBatch(): boolean {
    return this.batch !== undefined;
  }

  /** Whether an error lies in the statement or its parameters, and would come again. */
  readonly isStatementFault = (error: unknown): boolean =>
    !(error instanceof DurablyError) && classifyDatabaseError(error, this.#dialect.isRemote) === 'statement';

  /** @throws {DatabaseUnavailableError} */
  async execute<Row>(statement: Statement<Row>): Promise<Row[]> {
    const noteEnd = this.#health.noteBegin(statement.sql);
    try {
      return await this.#send(statement);
    } finally {
      noteEnd();
    }
  }

  async #send<Row>(statement: Statement<Row>): Promise<Row[]> {
    const start = this.#clock.monotonicMs();
    let { sql, parameters } = statement;
    for (let tries = 0; ; tries++) {
      if (this.#closing.error) throw this.#closing.error;
      statement.onSend?.();
      try {
        const { rows } = await this.db.executeQuery(CompiledQuery.raw(sql, [...parameters]));
        this.#health.noteSuccess(sql, rows.length);
        return rows as Row[];
      } catch (error) {
        await this.#pauseOrThrow(error, { start, tries, sql });
        ({ sql, parameters } = statement.ifAnswerLost ?? statement);
      }
    }
  }

  /**
   * Executes writes together, where {@link canBatch}: all of them or none. Sent
   * again when the answer was lost, so they must be harmless then.
   *
   * @throws {DatabaseUnavailableError}
   */
  async executeBatch<Row>(statements: readonly Statement<Row>[], onSend?: () => void): Promise<Row[][]> {
    const { batch } = this;
    const sql = statements[0]?.sql ?? '';
    if (!batch) throw new Error('this connection executes no batches');
    const noteEnd = this.#health.noteBegin(sql);
    try {
      const start = this.#clock.monotonicMs();
      for (let tries = 0; ; tries++) {
        onSend?.();
        try {
          const results = await batch(statements);
          this.#health.noteSuccess(sql, results.length);
          return results as Row[][];
        } catch (error) {
          await this.#pauseOrThrow(error, { start, tries, sql });
        }
      }
    } finally {
      noteEnd();
    }
  }

  /** A query built with Kysely. @throws {DatabaseUnavailableError} */
  query<Row>(query: CompiledQuery<Row>): Promise<Row[]> {
    return this.execute<Row>({ sql: query.sql, parameters: query.parameters as (string | number)[] });
  }

  /** Resolves when the database is migrated and, as far as is known, takes writes. @throws {DatabaseUnavailableError} */
  async ping(): Promise<void> {
    await this.execute({ sql: this.#health.question(), parameters: [] });
  }

  async #pauseOrThrow(
    error: unknown,
    { start, tries, sql }: { start: number; tries: number; sql: string },
  ): Promise<void> {
    if (this.#closing.error) throw this.#closing.error;
    if (error instanceof DurablyError) {
      this.#health.noteFailure(sql);
      throw error;
    }
    const fault = classifyDatabaseError(error, this.#dialect.isRemote);
    if (fault === 'statement') throw await this.#explain(error);
    if (fault === 'denied') {
      this.#health.noteFailure(sql);
      throw new AccessRefusedError(error);
    }
    const isLate = tries > 0 && this.#clock.monotonicMs() - start > UNREACHABLE_BUDGET_MS;
    if (fault !== 'uncertain' || isLate) {
      this.#health.noteFailure(sql);
      throw new DatabaseUnavailableError('The database is unavailable', { cause: error });
    }
    const pauseMs = Math.random() * Math.min(MAX_PAUSE_MS, 20 * 2 ** tries);
    await new Promise<void>((resolve) => this.#clock.schedule(pauseMs, resolve));
  }

  /** A statement that is refused may be right, and the database not migrated. */
  async #explain(error: unknown): Promise<unknown> {
    const tables = await this.db
      .selectFrom('sqlite_master')
      .select('name')
      .where('name', '=', 'durably_schema_versions')
      .execute()
      .catch((refusal: unknown) => {
        if (this.#closing.error) throw this.#closing.error;
        // Where even that can't be asked, nobody knows whether it is migrated.
        if (!this.isStatementFault(refusal) || !isRefusedByDriver(refusal)) return undefined;
        throw this.#closing.close(refusal);
      });
    if (tables === undefined || tables.length > 0) return error;
    return new DatabaseUnavailableError('The database is not migrated: call init() or migrate() first', {
      cause: error,
    });
  }
}
