import type { Call } from '../../../../core/call.ts';
import { DurablyError } from '../../../../core/errors/errors.ts';
import type { StoredOverview } from '../../../../core/stats/stats-store.ts';
import { WEBHOOK_JOB } from '../../../../core/webhooks/webhooks.ts';
import type { Connection } from '../../connection/connection.ts';
import { NOW_MS } from '../../sql.ts';

/** How many runs of the line are looked at. */
const MAX_LOOKED_AT = 1_000;

const LINE = `
select ${NOW_MS} as nowMs, (
  select min(p.updated_at) from (
    select r.updated_at from durably_runs r indexed by durably_runs_by_status
    where r.status = 'pending' and r.job_name <> '${WEBHOOK_JOB}' order by r.seq limit ${MAX_LOOKED_AT}
  ) p
) as pendingSinceMs`;

const SIZE =
  'select c.page_count * s.page_size as bytes from pragma_page_count() c cross join pragma_page_size() s';

/** How long the line has been waiting, and the size of the database. */
export async function readOverview(
  connection: Connection,
  { deadlineMs = connection.callerDeadline() }: Call = {},
): Promise<StoredOverview> {
  const [[line], databaseBytes] = await Promise.all([
    connection.execute<Pick<StoredOverview, 'nowMs' | 'pendingSinceMs'>>({
      sql: LINE,
      parameters: [],
      deadlineMs,
    }),
    readBytes(connection, deadlineMs),
  ]);
  if (line === undefined) throw new Error('the database has no time');
  return { ...line, databaseBytes };
}

async function readBytes(connection: Connection, deadlineMs: number): Promise<number | null> {
  try {
    const [size] = await connection.execute<{ bytes: number }>({ sql: SIZE, parameters: [], deadlineMs });
    return size?.bytes ?? null;
  } catch (error) {
    if (error instanceof DurablyError) throw error;
    // Some servers refuse pragmas.
    return null;
  }
}
