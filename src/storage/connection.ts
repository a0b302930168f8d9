import { CompiledQuery, type Dialect, Kysely } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { DatabaseUnavailableError, DurablyError } from '../core/errors.ts';
import { classifyDatabaseError } from './database-error.ts';
import { GuardedDialect } from './guarded-dialect.ts';
import type { Schema } from './schema.ts';

const UNREACHABLE_BUDGET_MS = 2_000;
const MAX_PAUSE_MS = 250;

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

  constructor(options: ConnectionOptions) {
    this.#clock = options.clock;
    this.#dialect = new GuardedDialect(options.dialect, options);
    this.db = new Kysely<Schema>({ dialect: this.#dialect });
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
        return (await this.db.executeQuery(CompiledQuery.raw(sql, [...parameters]))).rows as Row[];
      } catch (error) {
        await this.#pauseOrThrow(error, { start, tries });
        ({ sql, parameters } = statement.ifAnswerLost ?? statement);
      }
    }
  }

  /** A query built with Kysely. @throws {DatabaseUnavailableError} */
  query<Row>(query: CompiledQuery<Row>): Promise<Row[]> {
    return this.execute<Row>({ sql: query.sql, parameters: query.parameters as (string | number)[] });
  }

  /** Resolves when the database answers and is migrated. @throws {DatabaseUnavailableError} */
  async ping(): Promise<void> {
    await this.query(this.db.selectFrom('durably_runs').select('seq').limit(1).compile());
  }

  async #pauseOrThrow(error: unknown, { start, tries }: { start: number; tries: number }): Promise<void> {
    if (error instanceof DurablyError) throw error;
    const fault = classifyDatabaseError(error, this.#dialect.isRemote);
    if (fault === 'statement') throw await this.#explain(error);
    if (fault !== 'uncertain' || this.#clock.monotonicMs() - start > UNREACHABLE_BUDGET_MS) {
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
