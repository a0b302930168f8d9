import type { Freshness } from '../../../core/store.ts';
import type { Rows, Sql, WriteKind } from '../../writes.ts';
import type { Connection } from '../connection/connection.ts';
import type { Statement } from '../connection/statement.ts';
import { PLACES } from './places.ts';

/** Changes nothing, but makes a batch one that writes: a read replica passes it on to its primary. */
const TOUCH: Sql = {
  sql: 'update durably_schema_versions set applied_at = applied_at where version = 0',
  parameters: [],
};

/** What one read may take of an answer, so that a few of them fit together. */
const ANSWER_CHARS = 256 * 1024;
/** The same of rows that a plain read has not found: there are probably none. */
const MISSED_CHARS = 16 * 1024;

interface CurrentRead extends Sql {
  readonly chars: number;
}

const currentReads: WriteKind<CurrentRead, Rows> = {
  name: 'read',
  place: PLACES.read,
  sizeOf: ({ chars }) => ({ rows: 1, chars }),
  compile: (members) => ({
    statements: [TOUCH, ...members.map(({ sql, parameters }): Sql => ({ kind: 'read', sql, parameters }))],
    decode: (answers) => answers.slice(1),
  }),
};

/**
 * Reads what decides something where it is written. Behind a read replica a plain read
 * may be answered by what was true a moment ago.
 */
export async function readCurrent<Row>(
  connection: Connection,
  statement: Statement<Row>,
  { chars = ANSWER_CHARS }: { readonly chars?: number } = {},
): Promise<Row[]> {
  if (!connection.isRemote) return await connection.execute(statement);
  const { sql, parameters, deadlineMs } = statement;
  const rows = await connection.lane.submit(currentReads, { sql, parameters, chars }, deadlineMs);
  return rows as unknown as Row[];
}

/** Reads as of now if that is asked for. */
export async function readAsOf<Row>(
  connection: Connection,
  statement: Statement<Row>,
  asOf: Freshness = 'recently',
): Promise<Row[]> {
  if (asOf === 'recently') return await connection.execute(statement);
  return await readCurrent(connection, { deadlineMs: connection.callerDeadline(), ...statement });
}

/**
 * Reads rows that are known or thought to exist. What a replica has not got is asked for where it is
 * written; rows that are missing then do not exist any more.
 */
export async function readExisting<Row>(
  connection: Connection,
  statement: Statement<Row>,
  { count, asOf }: { readonly count: number; readonly asOf?: Freshness | undefined },
): Promise<Row[]> {
  const deadlineMs = connection.callerDeadline();
  const rows = await readAsOf(connection, statement, asOf);
  if (asOf === 'now') return rows;
  if (rows.length >= count || !connection.isRemote) return rows;
  return await readCurrent(connection, { deadlineMs, ...statement }, { chars: MISSED_CHARS });
}
