import type { Connection } from '../../connection/connection.ts';
import type { OptionalSchema } from '../../migrations/optional-schema.ts';
import { NOW_MS } from '../../sql.ts';
import { portionWrites } from '../portion-writes.ts';

const PORTION_ROWS = 500;

/** A throttle without a row lets a whole burst start, and so does one whose burst was used up before now. */
const FORGET = `
delete from durably_rates where (job_name, key) in (
  select r.job_name, r.key from durably_rates r where r.full_at <= ${NOW_MS} order by r.full_at limit ${PORTION_ROWS}
)
returning 1 as forgotten`;

const portions = portionWrites({ name: 'throttles', rows: PORTION_ROWS });

/** Removes a portion of the throttles that say nothing any more. Whether there may be others. */
export async function forgetThrottles(connection: Connection, schema: OptionalSchema): Promise<boolean> {
  await schema.noticeLimits(connection);
  if (!schema.hasLimits) return false;
  const { length: forgotten } = await connection.lane.submit(
    portions,
    { sql: FORGET, parameters: [] },
    connection.callerDeadline(),
  );
  return forgotten >= PORTION_ROWS;
}
