import { CompiledQuery, type Dialect, Kysely } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { DatabaseUnavailableError, DurablyError } from '../core/errors.ts';
import { classifyDatabaseError } from './database-error.ts';
import { GuardedDialect } from './guarded-dialect.ts';
import type { Schema } from './schema.ts';

const UNREACHABLE_BUDGET_MS = 2_000;
const MAX_PAUSE_MS = 250;
const MAX_REMOTE_GROUPS = 8;

/** How long the database counts as unfit for writes after one failed. */
const DISTRUST_MS = 5_000;

/**
 * A write for its own sake: a disk that is full or read-only still answers
 * questions. It flips a bit, for SQLite doesn't write what is there already.
 */
const PROBE = 'update durably_schema_versions set applied_at = applied_at + 1 - 2 * (applied_at % 2)';

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
}

/**
 * The way to the database. A statement whose answer was lost is sent again, so
 * it must be harmless when executed twice, or say what to ask instead.
 */
export class Connection {
  readonly db: Kysely<Schema>;
  readonly #dialect: GuardedDialect;
  readonly #clock: Clock;
  /** Long ago once a write succeeded. */
  #lastFailedWriteMs = Number.NEGATIVE_INFINITY;

  constructor(options: ConnectionOptions) {
    this.#clock = options.clock;
    this.#dialect = new GuardedDialect(options.dialect, options);
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

  /** Whether an error lies in the statement or its parameters, and would come again. */
  readonly isStatementFault = (error: unknown): boolean =>
    !(error instanceof DurablyError) && classifyDatabaseError(error, this.#dialect.isRemote) === 'statement';

  /** @throws {DatabaseUnavailableError} */
  async execute<Row>(statement: Statement<Row>): Promise<Row[]> {
    const start = this.#clock.monotonicMs();
    let { sql, parameters } = statement;
    for (let tries = 0; ; tries++) {
      statement.onSend?.();
      try {
        const { rows } = await this.db.executeQuery(CompiledQuery.raw(sql, [...parameters]));
        // One that found nothing to change has written nothing.
        if (rows.length > 0 && isWrite(sql)) this.#lastFailedWriteMs = Number.NEGATIVE_INFINITY;
        return rows as Row[];
      } catch (error) {
        await this.#pauseOrThrow(error, { start, tries, sql });
        ({ sql, parameters } = statement.ifAnswerLost ?? statement);
      }
    }
  }

  /** A query built with Kysely. @throws {DatabaseUnavailableError} */
  query<Row>(query: CompiledQuery<Row>): Promise<Row[]> {
    return this.execute<Row>({ sql: query.sql, parameters: query.parameters as (string | number)[] });
  }

  /**
   * Resolves when the database is migrated and takes writes. A disk may have
   * room for a small write and none for a trigger: when a write just failed,
   * that is the answer.
   *
   * @throws {DatabaseUnavailableError}
   */
  async ping(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#lastFailedWriteMs < DISTRUST_MS) {
      throw new DatabaseUnavailableError('The last write failed');
    }
    await this.execute({ sql: PROBE, parameters: [] });
  }

  async #pauseOrThrow(
    error: unknown,
    { start, tries, sql }: { start: number; tries: number; sql: string },
  ): Promise<void> {
    if (error instanceof DurablyError) throw error;
    const fault = classifyDatabaseError(error, this.#dialect.isRemote);
    if (fault === 'statement') throw await this.#explain(error);
    if (fault !== 'uncertain' || this.#clock.monotonicMs() - start > UNREACHABLE_BUDGET_MS) {
      if (isWrite(sql)) this.#lastFailedWriteMs = this.#clock.monotonicMs();
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
      .catch(() => []);
    if (tables.length > 0) return error;
    return new DatabaseUnavailableError('The database is not migrated: call init() or migrate() first', {
      cause: error,
    });
  }
}

function isWrite(sql: string): boolean {
  return !/^\s*select\b/i.test(sql);
}
