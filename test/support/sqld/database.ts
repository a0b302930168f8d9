import Database from 'libsql';
import { isBoundary } from './nature.ts';
import {
  fromSql,
  type HranaBatch,
  type HranaCondition,
  type HranaError,
  type HranaStatement,
  type HranaValue,
  type StatementResult,
  toSql,
} from './protocol.ts';

type Sqls = ReadonlyMap<number, string>;

/** The default limits of libsql-server for parameters, values and answers. */
const MAX_VALUE_BYTES = 5_000_000;
const MAX_ANSWER_BYTES = 10_000_000;

/** How many statements are kept prepared. */
const MAX_PREPARED = 100;
/** Statements that may be kept. Those that change the schema, or begin and end transactions, are not repeated. */
const KEPT = /^\s*(select|insert|update|delete|with)\b/i;

/** An error of the server with its code. */
class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** One connection to the file. It executes the requests of Hrana. */
export class HranaDatabase {
  readonly #file: string;
  readonly #db: InstanceType<typeof Database>;
  /** Preparing takes longer than executing: a write compiles the triggers of its table. */
  readonly #prepared = new Map<string, Database.Statement>();

  constructor(file: string) {
    this.#file = file;
    this.#db = new Database(file);
    this.#db.exec('pragma journal_mode = wal');
  }

  get inTransaction(): boolean {
    return this.#db.inTransaction;
  }

  /**
   * An answer that is too large is refused after the statement was executed. Outside of a transaction its
   * effect stays.
   *
   * @param room what the answers before it have left. The statements of a batch share it.
   */
  execute(statement: HranaStatement, sqls: Sqls, room = { bytes: MAX_ANSWER_BYTES }): StatementResult {
    const given = [...(statement.args ?? []), ...(statement.named_args ?? []).map(({ value }) => value)];
    if (given.some((value) => bytesOf(value) > MAX_VALUE_BYTES)) {
      throw new Refusal('ARGS_INVALID', 'string or blob too big');
    }
    const result = this.#execute(statement, sqls);
    for (const row of result.rows) for (const value of row) room.bytes -= answeredBytes(value);
    if (room.bytes < 0) throw new Refusal('RESPONSE_TOO_LARGE', 'Response is too large');
    return result;
  }

  #execute(statement: HranaStatement, sqls: Sqls): StatementResult {
    const sql = sqlOf(statement, sqls);
    refuseUnparsed(sql);
    if (isBoundary(sql)) {
      // A prepared one that fails would stay open, and nothing could be committed beside it.
      this.#db.exec(sql);
      return { cols: [], rows: [], affected_row_count: 0, last_insert_rowid: null };
    }
    if (!sql.startsWith('explain ')) return this.#executeKept(sql, statement);
    // libsql leaves such a statement open, and nothing could be committed beside it.
    const apart = new Database(this.#file);
    try {
      return this.#run(apart.prepare(sql), statement);
    } finally {
      apart.close();
    }
  }

  #executeKept(sql: string, statement: HranaStatement): StatementResult {
    const { args = [], named_args: named = [] } = statement;
    if (named.length > 0 || !KEPT.test(sql)) return this.#run(this.#db.prepare(sql), statement);
    // With fewer arguments, a statement would use the last values of the others.
    const key = `${args.length} ${sql}`;
    const prepared = this.#prepared.get(key) ?? this.#db.prepare(sql);
    // One that fails is not kept.
    this.#prepared.delete(key);
    const result = this.#run(prepared, statement);
    this.#prepared.set(key, prepared);
    const [oldest] = this.#prepared.keys();
    if (this.#prepared.size > MAX_PREPARED && oldest !== undefined) this.#prepared.delete(oldest);
    return result;
  }

  #run(prepared: Database.Statement, statement: HranaStatement): StatementResult {
    prepared.safeIntegers(true);
    const args = argumentsOf(statement);
    if (!prepared.reader) {
      const { changes, lastInsertRowid } = prepared.run(args);
      return {
        cols: [],
        rows: [],
        affected_row_count: Number(changes),
        last_insert_rowid: String(lastInsertRowid),
      };
    }
    prepared.raw(true);
    const rows = prepared.all(args) as unknown[][];
    const cols = prepared.columns().map(({ name, type }) => ({ name, decltype: type }));
    return {
      cols,
      rows: rows.map((row) => row.map(fromSql)),
      affected_row_count: 0,
      last_insert_rowid: null,
    };
  }

  batch(batch: HranaBatch, sqls: Sqls) {
    const results: (StatementResult | null)[] = [];
    const errors: (HranaError | null)[] = [];
    const holds = (condition: HranaCondition): boolean => {
      switch (condition.type) {
        case 'ok':
          return results[condition.step] != null;
        case 'error':
          return errors[condition.step] != null;
        case 'not':
          return !holds(condition.cond);
        case 'and':
          return condition.conds.every(holds);
        case 'or':
          return condition.conds.some(holds);
        case 'is_autocommit':
          return !this.inTransaction;
      }
    };
    const room = { bytes: MAX_ANSWER_BYTES };
    for (const { condition, stmt } of batch.steps) {
      let result: StatementResult | null = null;
      let error: HranaError | null = null;
      if (condition === undefined || holds(condition)) {
        try {
          result = this.execute(stmt, sqls, room);
        } catch (failure) {
          error = toHranaError(failure);
        }
      }
      results.push(result);
      errors.push(error);
    }
    return { step_results: results, step_errors: errors };
  }

  describe(sql: string) {
    const prepared = this.#db.prepare(sql);
    const cols = prepared.reader
      ? prepared.columns().map(({ name, type }) => ({ name, decltype: type }))
      : [];
    return { params: [], cols, is_explain: /^\s*explain/i.test(sql), is_readonly: prepared.reader };
  }

  sequence(sql: string): void {
    refuseUnparsed(sql);
    this.#db.exec(sql);
  }

  rollback(): void {
    if (this.inTransaction) this.#db.exec('rollback');
  }

  close(): void {
    this.#prepared.clear();
    this.#db.close();
  }
}

const GROUPED_HAVING = /\bgroup\s+by\b[^;]*?\bhaving\b/gi;

/** The server parses SQL before SQLite does, and knows HAVING only after GROUP BY. */
function refuseUnparsed(sql: string): void {
  if (!/\bhaving\b/i.test(sql.replaceAll(/--.*/g, '').replaceAll(GROUPED_HAVING, ''))) return;
  throw new Refusal('SQL_PARSE_ERROR', 'SQL string could not be parsed: near HAVING: syntax error');
}

function sqlOf({ sql, sql_id: id }: { sql?: string; sql_id?: number }, sqls: Sqls): string {
  const text = sql ?? (id === undefined ? undefined : sqls.get(id));
  if (text === undefined) throw new Error('no such SQL text');
  return text;
}

function argumentsOf({ args = [], named_args: named = [] }: HranaStatement) {
  if (named.length === 0) return args.map(toSql);
  return Object.fromEntries(named.map(({ name, value }) => [name.replace(/^[@$:]/, ''), toSql(value)]));
}

function bytesOf(value: HranaValue): number {
  return value.type === 'text' ? Buffer.byteLength(value.value) : 8;
}

/** As libsql-server 0.24 was measured to count it: as JSON, but the text without its escapes. */
function answeredBytes(value: HranaValue): number {
  switch (value.type) {
    case 'null':
      return 15;
    case 'text':
      return 26 + Buffer.byteLength(value.value);
    case 'blob':
      return 28 + value.base64.length;
    default:
      return 29 + String(value.value).length;
  }
}

/** Servers report the base code only, not the extended one. */
export function toHranaError(error: unknown): HranaError {
  if (error instanceof Refusal) return { message: error.message, code: error.code };
  const { message, code } = error as { message: string; code?: string };
  const base = /^SQLITE_[A-Z]+/.exec(code ?? '')?.[0] ?? 'SQLITE_ERROR';
  return { message: `SQLite error: ${message}`, code: base === 'SQLITE_ERROR' ? 'SQL_INPUT_ERROR' : base };
}
