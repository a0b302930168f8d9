import type { StoredLine } from '../../../../core/stats/vitals.ts';
import type { Connection } from '../../connection/connection.ts';
import { NOW_MS } from '../../sql.ts';

/** How many runs of each line are looked at. */
const MAX_LOOKED_AT = 100;

const LINES = `
select n.value as jobName, coalesce(${NOW_MS} - (
  select min(p.updated_at) from (
    select r.updated_at from durably_runs r indexed by durably_runs_by_job
    where r.job_name = n.value and r.status = 'pending' order by r.seq limit ${MAX_LOOKED_AT}
  ) p
), 0) as oldestPendingMs
from json_each(?1) n`;

/** How long the line of each of these jobs has been waiting. */
export async function listLines(connection: Connection, jobNames: readonly string[]): Promise<StoredLine[]> {
  return await connection.execute<StoredLine>({ sql: LINES, parameters: [JSON.stringify(jobNames)] });
}
