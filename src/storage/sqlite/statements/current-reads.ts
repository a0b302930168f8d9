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

const currentReads: WriteKind<Sql, Rows> = {
  name: 'read',
  place: PLACES.read,
  sizeOf: () => ({ rows: 1, chars: ANSWER_CHARS }),
  compile: (members) => ({
    statements: [TOUCH, ...members.map(({ sql, parameters }) => ({ sql, parameters }))],
    decode: (answers) => answers.slice(1),
  }),
};

/**
 * Reads what decides something where it is written. Behind a read replica a plain read
 * may be answered by what was true a moment ago.
 */
export async function readCurrent<Row>(connection: Connection, statement: Statement<Row>): Promise<Row[]> {
  if (!connection.isRemote) return await connection.execute(statement);
  const rows = await connection.lane.submit(currentReads, statement, statement.deadlineMs);
  return rows as unknown as Row[];
}
