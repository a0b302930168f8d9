import type { Freshness } from '../../../core/store.ts';
import type { Rows, Sql, WriteKind } from '../../writes.ts';
import type { Connection } from '../connection/connection.ts';
import type { Statement } from '../connection/statement.ts';
import { PLACES } from './places.ts';

/** Changes nothing, but a batch with it writes, so a read replica passes it on to its primary. */
const TOUCH: Sql = {
  sql: 'update durably_schema_versions set applied_at = applied_at where version = 0',
  parameters: [],
};

/** The most that one read may take of an answer, so that a few of them fit into one. */
const ANSWER_CHARS = 256 * 1024;
/** The same for rows that a plain read has not found. They probably don't exist. */
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
 * A read that decides something. It is answered by the primary. A plain read may be answered by a
 * read replica, which may lack the latest commits.
 */
export async function readCurrent<Row>(
  connection: Connection,
  statement: Statement<Row>,
  { chars = ANSWER_CHARS }: { readonly chars?: number } = {},
): Promise<Row[]> {
  if (!connection.isRemote) return await connection.execute(statement);
  const { sql, parameters, deadlineMs } = statement;
  const rows = await connection.lane.submit(
    currentReads,
    { sql, parameters, chars },
    deadlineMs ?? connection.callerDeadline(),
  );
  return rows as unknown as Row[];
}

/** Reads as of now if that is requested. */
export async function readAsOf<Row>(
  connection: Connection,
  statement: Statement<Row>,
  asOf: Freshness = 'recently',
): Promise<Row[]> {
  if (asOf === 'recently') return await connection.execute(statement);
  const { deadlineMs = connection.callerDeadline() } = statement;
  return await readCurrent(connection, { ...statement, deadlineMs });
}

/**
 * Reads rows that are known or thought to exist. Rows that a replica does not have are read from
 * the primary. Rows that are missing there do not exist any more.
 */
export async function readExisting<Row>(
  connection: Connection,
  statement: Statement<Row>,
  { count, asOf }: { readonly count: number; readonly asOf?: Freshness | undefined },
): Promise<Row[]> {
  const deadlineMs = statement.deadlineMs ?? connection.callerDeadline();
  const rows = await readAsOf(connection, { ...statement, deadlineMs }, asOf);
  if (asOf === 'now') return rows;
  if (rows.length >= count || !connection.isRemote) return rows;
  return await readCurrent(connection, { ...statement, deadlineMs }, { chars: MISSED_CHARS });
}
