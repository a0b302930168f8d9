import type { Lease, NamedRun } from '../../../core/store.ts';
import type { Connection } from '../connection/connection.ts';
import { NOW_MS } from '../sql.ts';
import { isFrom, statusAfter } from './transitions.ts';

// The + keeps SQLite from walking all that runs, instead of looking up each lease's run.
const HELD = `r.id = l.value->>'runId' and r.fence = l.value->>'fence' and ${isFrom('handBack', '+r')}`;

const RENEW = `
update durably_runs as r set heartbeat_at = ${NOW_MS}
from json_each(?) l
where ${HELD}
returning id, fence`;

const HAND_BACK = `
update durably_runs as r set status = ${statusAfter('handBack')}, claim_kind = 'resume', heartbeat_at = null, updated_at = ${NOW_MS}
from json_each(?) l
where ${HELD}
returning id, attempt, job_name`;

/** One statement for all leases of a worker; answers with those it still holds. */
export async function renew(connection: Connection, leases: readonly Lease[]): Promise<Lease[]> {
  const rows = await connection.execute<{ id: string; fence: number }>({
    kind: 'write',
    sql: RENEW,
    parameters: [encode(leases)],
  });
  return rows.map((row) => ({ runId: row.id, fence: row.fence }));
}

/**
 * Runs return to pending without an event; leases that are no longer held are
 * left alone. A run whose hand-back was sent again may be missing in the answer.
 */
export async function handBack(connection: Connection, leases: readonly Lease[]): Promise<NamedRun[]> {
  const rows = await connection.execute<{ id: string; attempt: number; job_name: string }>({
    kind: 'write',
    sql: HAND_BACK,
    parameters: [encode(leases)],
  });
  return rows.map((row) => ({ runId: row.id, attempt: row.attempt, jobName: row.job_name }));
}

function encode(leases: readonly Lease[]): string {
  return JSON.stringify(leases.map(({ runId, fence }) => ({ runId, fence })));
}
