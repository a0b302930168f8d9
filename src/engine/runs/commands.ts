import { ConflictError, NotFoundError } from '../../core/errors/errors.ts';
import type { JournalEventType } from '../../core/events.ts';
import { checkRunId, type RunCommand } from '../../core/run.ts';
import type { RunsDeps } from './runs-deps.ts';

const EVENTS: Record<RunCommand, JournalEventType> = {
  cancel: 'run:cancel',
  retry: 'run:retry',
  delete: 'run:delete',
};

type CommandDeps = Pick<RunsDeps, 'store' | 'bus' | 'worker'>;

export async function cancel(deps: CommandDeps, runId: string): Promise<void> {
  await commandRun(deps, 'cancel', runId);
  deps.worker.cancel(runId);
  // It may have freed its concurrency key.
  deps.worker.wake();
}

export async function retry(deps: CommandDeps, runId: string): Promise<void> {
  await commandRun(deps, 'retry', runId);
  deps.worker.wake();
}

export async function deleteRun(
  deps: CommandDeps & Pick<RunsDeps, 'housekeeping' | 'isResident'>,
  runId: string,
): Promise<void> {
  const { leavesMore } = await commandRun(deps, 'delete', runId);
  // Without a loop that does it each hour, whoever leaves a row behind clears the old ones away.
  if (!deps.isResident) await deps.housekeeping.clearUpAfterDeletion({ leavesMore });
  else if (leavesMore) deps.housekeeping.clearUp();
}

/**
 * Carries out a caller's command. Of racing callers one wins. Answers whether a deleted
 * run left rows over, for the housekeeping to remove.
 *
 * @throws {NotFoundError} @throws {ConflictError} that names the state the run is in.
 */
async function commandRun(
  { store, bus }: CommandDeps,
  command: RunCommand,
  runId: string,
): Promise<{ readonly leavesMore: boolean }> {
  const result = await store.command(command, checkRunId(runId));
  if (result.kind === 'not-found') throw new NotFoundError('Run not found');
  if (result.kind === 'wrong-state') throw new ConflictError(`Cannot ${command} a ${result.status} run`);
  bus.publish([{ run: { runId, jobName: result.jobName }, note: { type: EVENTS[command] } }]);
  return result;
}
