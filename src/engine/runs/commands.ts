import { newCall } from '../../core/call.ts';
import { ConflictError, NotFoundError } from '../../core/errors/errors.ts';
import type { JournalEventType } from '../../core/events.ts';
import { checkRunId, type RunCommand } from '../../core/run.ts';
import type { CommandResult } from '../../core/store.ts';
import type { RunsDeps } from './runs-deps.ts';

const EVENTS: Record<RunCommand, JournalEventType> = {
  cancel: 'run:cancel',
  retry: 'run:retry',
  delete: 'run:delete',
};

type CommandDeps = Pick<RunsDeps, 'store' | 'bus' | 'clock' | 'worker' | 'housekeeping' | 'isResident'>;

/**
 * Cancels a run and the active runs below it. Their events stop the executions of this process. If they are many, the
 * chores cancel the rest.
 */
export async function cancel(deps: CommandDeps, runId: string): Promise<void> {
  const call = newCall(deps.clock);
  const { leavesMore } = await commandRun(deps, { command: 'cancel', runId, call });
  if (!leavesMore) return;
  if (deps.isResident) deps.housekeeping.cancelBelow();
  else await deps.housekeeping.cancelBelowNow(call);
}

/** Returns a failed or cancelled run to pending, and wakes the worker. */
export async function retry(deps: CommandDeps, runId: string): Promise<void> {
  await commandRun(deps, { command: 'retry', runId, call: newCall(deps.clock) });
  deps.worker.wake();
}

/** Deletes an ended run. A large run leaves rows, which the chores remove. */
export async function deleteRun(deps: CommandDeps, runId: string): Promise<void> {
  const call = newCall(deps.clock);
  const { leavesMore } = await commandRun(deps, { command: 'delete', runId, call });
  // A worker on demand has no loop that removes old rows, so a deletion does it.
  if (!deps.isResident) await deps.housekeeping.clearUpAfterDeletion({ leavesMore }, call);
  else if (leavesMore) deps.housekeeping.clearUp();
}

/**
 * Executes a caller's command. If callers race, one of them wins. All that it waits for shares the caller's time.
 *
 * @throws {NotFoundError}
 * @throws {ConflictError} that names the run's status, or says that too many runs below it are yet to be cancelled.
 */
async function commandRun(
  { store, bus, housekeeping, isResident }: CommandDeps,
  { command, runId, call }: { command: RunCommand; runId: string; call: ReturnType<typeof newCall> },
): Promise<Extract<CommandResult, { kind: 'done' }>> {
  let result = await store.command(command, checkRunId(runId), call);
  if (result.kind === 'cancels-below') {
    // If nothing is left below it, a cancellation of a run above it is yet to pass it.
    if (!(await housekeeping.cancelBelowRun(runId, call))) await housekeeping.cancelBelowNow(call);
    result = await store.command(command, runId, call);
  }
  if (result.kind === 'not-found') throw new NotFoundError('Run not found');
  if (result.kind === 'wrong-state') throw new ConflictError(`Cannot ${command} a ${result.status} run`);
  if (result.kind === 'cancels-below') {
    if (isResident) housekeeping.cancelBelow();
    throw new ConflictError(`Cannot ${command} a run while the runs below it are being cancelled: try again`);
  }
  const changed = [{ runId, jobName: result.jobName }, ...result.alsoCancelled];
  bus.publish(changed.map((run) => ({ run, note: { type: EVENTS[command] } })));
  return result;
}
