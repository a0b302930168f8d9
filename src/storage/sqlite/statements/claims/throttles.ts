import type { Sql, WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import type { OptionalSchema } from '../../migrations/optional-schema.ts';
import { NOW_MS } from '../../sql.ts';
import { PLACES } from '../places.ts';

const PORTION_ROWS = 500;

/** A throttle without a row lets a whole burst start, and so does one whose burst was used up before now. */
const FORGET = `
delete from durably_rates where (job_name, key) in (
  select r.job_name, r.key from durably_rates r where r.full_at <= ${NOW_MS} order by r.full_at limit ${PORTION_ROWS}
)
returning 1 as forgotten`;

const portions: WriteKind<Sql, number> = {
  name: 'throttles',
  place: PLACES.deletion,
  sizeOf: () => ({ rows: PORTION_ROWS, chars: 0 }),
  compile: (members) => ({
    statements: members,
    decode: (answers) => members.map((_, i) => answers[i]?.length ?? 0),
  }),
};

/** Removes a portion of the throttles that say nothing any more. Whether there may be others. */
export async function forgetThrottles(connection: Connection, schema: OptionalSchema): Promise<boolean> {
  await schema.noticeLimits(connection);
  if (!schema.hasLimits) return false;
  const forgotten = await connection.lane.submit(portions, { sql: FORGET, parameters: [] });
  return forgotten >= PORTION_ROWS;
}
