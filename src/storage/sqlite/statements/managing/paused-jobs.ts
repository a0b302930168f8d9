import type { Call } from '../../../../core/call.ts';
import type { WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import { readCurrent } from '../current-reads.ts';
import { PLACES } from '../places.ts';

interface Change {
  readonly jobName: string;
  readonly isPaused: boolean;
}

/** Both can be done again without harm. */
const changes: WriteKind<Change, void> = {
  name: 'pause',
  place: PLACES.command,
  sizeOf: () => ({ rows: 1, chars: 0 }),
  compile: (members) => ({
    statements: members.map(({ jobName, isPaused }) => ({
      sql: isPaused
        ? 'insert into durably_paused_jobs (job_name) values (?) on conflict (job_name) do nothing'
        : 'delete from durably_paused_jobs where job_name = ?',
      parameters: [jobName],
    })),
    decode: () => members.map(() => undefined),
  }),
};

/** Says that no run of the job is claimed, or that runs are claimed again. */
export async function setPaused(connection: Connection, jobName: string, isPaused: boolean): Promise<void> {
  await connection.lane.submit(changes, { jobName, isPaused }, connection.callerDeadline());
}

export async function listPausedJobs(
  connection: Connection,
  { deadlineMs = connection.callerDeadline() }: Call = {},
): Promise<string[]> {
  const rows = await readCurrent<{ job_name: string }>(connection, {
    sql: 'select job_name from durably_paused_jobs order by job_name',
    parameters: [],
    deadlineMs,
  });
  return rows.map(({ job_name }) => job_name);
}
