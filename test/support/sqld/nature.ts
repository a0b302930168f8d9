import type { HranaRequest, HranaStatement } from './protocol.ts';

/** What the requests of one pipeline do to the database. */
export type Nature =
  /** They need no lock. */
  | 'reads'
  /** A whole transaction that takes the lock and changes nothing. */
  | 'reads with the lock'
  | 'writes';

type Sqls = ReadonlyMap<number, string>;

const READ = /^(select|values|explain|pragma)\b/i;
const COMMON_TABLE = /^with\b/i;
const CHANGE = /\b(insert|update|delete|replace)\b/i;
const TRANSACTION = /^(begin|commit|end|rollback)\b/i;

/** Reads the SQL. A statement that might change something counts as a write. */
export function natureOf(requests: readonly HranaRequest[], sqls: Sqls): Nature {
  const known = new Map(sqls);
  const texts = requests.flatMap((request) => {
    if (request.type === 'store_sql') known.set(request.sql_id, request.sql);
    return textsOf(request, known);
  });
  const begins = texts.some((sql) => /^begin\b/i.test(sql));
  const ends = texts.some((sql) => /^(commit|end)\b/i.test(sql));
  if (begins !== ends || texts.some(mayChange)) return 'writes';
  return texts.some((sql) => /^begin (immediate|exclusive)\b/i.test(sql)) ? 'reads with the lock' : 'reads';
}

/** Whether it begins or ends a transaction. */
export function isBoundary(sql: string): boolean {
  return TRANSACTION.test(withoutComments(sql));
}

function mayChange(sql: string): boolean {
  if (READ.test(sql) || TRANSACTION.test(sql)) return false;
  return !COMMON_TABLE.test(sql) || CHANGE.test(sql);
}

function textsOf(request: HranaRequest, sqls: Sqls): string[] {
  const text = ({ sql, sql_id: id = -1 }: Pick<HranaStatement, 'sql' | 'sql_id'>) =>
    withoutComments(sql ?? sqls.get(id) ?? '');
  switch (request.type) {
    case 'execute':
      return [text(request.stmt)];
    case 'batch':
      return request.batch.steps.map(({ stmt }) => text(stmt));
    case 'sequence':
      return [text(request)];
    default:
      return [];
  }
}

function withoutComments(sql: string): string {
  return sql.replace(/^(\s+|--.*\n|\/\*[\s\S]*?\*\/)*/, '');
}
