import type { Rescheduled } from '../../../../core/managing/managing-store.ts';
import type { RunStatus } from '../../../../core/run.ts';
import type { Due } from '../../../../core/triggers/new-run.ts';
import type { Rows, Sql, WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import { NOW_MS } from '../../sql.ts';
import { readCurrent } from '../current-reads.ts';
import { PLACES } from '../places.ts';
import { isFrom, statusAfter } from '../transitions.ts';

/** ?1 the run, ?2 the time or '', ?3 the delay or ''. The ttl counts from when the run is due. */
const RESCHEDULE = `
update durably_runs set
  status = iif(d.due_at > ${NOW_MS}, ${statusAfter('reschedule')}, ${statusAfter('wake')}),
  due_at = iif(d.due_at > ${NOW_MS}, d.due_at, null),
  waits = iif(d.due_at > ${NOW_MS}, json_array(json_object(
    'kind', 'delay', 'stepName', null,
    'until', strftime('%Y-%m-%dT%H:%M:%fZ', d.due_at / 1000.0, 'unixepoch')
  )), null),
  deadline_at = max(d.due_at, ${NOW_MS}) + ttl_ms,
  last_command = 'reschedule', updated_at = ${NOW_MS}
from (select iif(?2 = '', ${NOW_MS} + ?3, ?2) as due_at) d
where id = ?1 and started_at is null and ${isFrom('reschedule', '+durably_runs')}
returning id, job_name, coalesce(due_at, updated_at) as run_at, due_at`;

const STATE = `
select status, job_name, coalesce(due_at, updated_at) as run_at, due_at, last_command, started_at
from durably_runs where id = ?`;

interface State {
  readonly status: RunStatus;
  readonly job_name: string;
  readonly run_at: number;
  readonly due_at: number | null;
  readonly last_command: string | null;
  readonly started_at: number | null;
}

const reschedules: WriteKind<Sql, { readonly rows: Rows; readonly isSentAgain: boolean }> = {
  name: 'reschedule',
  place: PLACES.command,
  sizeOf: () => ({ rows: 1, chars: 0 }),
  compile: (members, { sentAgain }) => ({
    statements: members,
    decode: (answers) =>
      members.map((_, i) => ({ rows: answers[i] ?? [], isSentAgain: sentAgain[i] === true })),
  }),
};

/** Gives a run that has not started another time. */
export async function reschedule(
  connection: Connection,
  { runId, due }: { readonly runId: string; readonly due: Due },
): Promise<Rescheduled> {
  const deadlineMs = connection.callerDeadline();
  const parameters = [runId, ...('atMs' in due ? [Math.ceil(due.atMs), ''] : ['', Math.ceil(due.afterMs)])];
  const { rows, isSentAgain } = await connection.lane.submit(
    reschedules,
    { sql: RESCHEDULE, parameters },
    deadlineMs,
  );
  const [changed] = rows;
  if (changed !== undefined) return done(changed);
  const [found] = await readCurrent<State>(connection, { sql: STATE, parameters: [runId], deadlineMs });
  if (found === undefined) return { kind: 'not-found' };
  // It was sent before, and may have been done then. The run may have started since.
  if (isSentAgain && found.last_command === 'reschedule') return done({ ...found });
  return { kind: 'wrong-state', status: found.status, hasStarted: found.started_at !== null };
}

function done({ job_name, run_at, due_at }: Rows[number]): Rescheduled {
  return { kind: 'done', jobName: String(job_name), runAtMs: Number(run_at), waits: due_at !== null };
}
