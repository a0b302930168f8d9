import { RUN_TRANSITIONS, type RunCommand, type RunStatus } from '../../../core/run.ts';
import type { CommandResult } from '../../../core/store.ts';
import type { Connection } from '../connection/connection.ts';
import { NOW_MS } from '../sql.ts';
import { LEAVES_MORE } from './deletions.ts';
import { isFrom, statusAfter } from './transitions.ts';

const CHANGES: Record<RunCommand, string> = {
  cancel: `update durably_runs set status = ${statusAfter('cancel')}, last_command = 'cancel', completed_at = ${NOW_MS}, updated_at = ${NOW_MS}`,
  retry: `update durably_runs set status = ${statusAfter('retry')}, last_command = 'retry', claim_kind = 'start', error = null, error_detail = null, failed_step_name = null,
    output = null, progress = null, completed_at = null, heartbeat_at = null, lost_count = 0, updated_at = ${NOW_MS}`,
  delete: 'delete from durably_runs',
};

/** Additional columns of a command's answer. */
const ANSWERS: Partial<Record<RunCommand, string>> = { delete: `, ${LEAVES_MORE} as leaves_more` };

/**
 * Changes a run if the transition is legal in its state. Of racing callers one changes
 * it, and the others learn which state they found.
 */
export async function command(
  connection: Connection,
  name: RunCommand,
  runId: string,
): Promise<CommandResult> {
  const deadlineMs = connection.callerDeadline();
  let sendings = 0;
  const [changed] = await connection.execute<{ job_name: string; leaves_more?: number }>({
    kind: 'write',
    sql: `${CHANGES[name]} where id = ? and ${isFrom(name)} returning job_name${ANSWERS[name] ?? ''}`,
    parameters: [runId],
    deadlineMs,
    onSend: () => {
      sendings++;
    },
  });
  if (changed) return done(changed.job_name, { leavesMore: changed.leaves_more === 1 });
  const [run] = await connection.execute<{ job_name: string; status: RunStatus }>({
    kind: 'read',
    sql: 'select job_name, status from durably_runs where id = ?',
    parameters: [runId],
    deadlineMs,
  });
  // If it was sent more than once, an earlier sending may have changed the run.
  const mayBeOurs = sendings > 1;
  if (!run) return mayBeOurs && name === 'delete' ? done('', { leavesMore: true }) : { kind: 'not-found' };
  if (mayBeOurs && isAfter(name, run.status)) return done(run.job_name);
  return { kind: 'wrong-state', status: run.status };
}

function done(jobName: string, { leavesMore } = { leavesMore: false }): CommandResult {
  return { kind: 'done', jobName, leavesMore };
}

/** Whether the command may have led to that state. A retried run may run or be completed by now. */
function isAfter(name: RunCommand, status: RunStatus): boolean {
  const { from, to } = RUN_TRANSITIONS[name];
  return name === 'retry' ? !from.some((each) => each === status) : status === to;
}
