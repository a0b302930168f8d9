import { ConflictError, NotFoundError } from '../../core/errors/errors.ts';
import type { JournalEventType } from '../../core/events.ts';
import { checkRunId, type RunCommand } from '../../core/run.ts';
import type { Store } from '../../core/store.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { Worker } from '../worker/worker.ts';

const EVENTS: Record<RunCommand, JournalEventType> = {
  cancel: 'run:cancel',
  retry: 'run:retry',
  delete: 'run:delete',
};

/**
 * Carries out a caller's command. Of racing callers one wins. Answers whether a deleted
 * run left rows over, for {@link Housekeeping} to remove.
 *
 * @throws {NotFoundError} @throws {ConflictError} that names the state the run is in.
 */
export async function commandRun(
  command: RunCommand,
  runId: string,
  { store, bus, worker }: { store: Store; bus: EventBus; worker: Worker },
): Promise<{ readonly leavesMore: boolean }> {
  const result = await store.command(command, checkRunId(runId));
  if (result.kind === 'not-found') throw new NotFoundError('Run not found');
  if (result.kind === 'wrong-state') throw new ConflictError(`Cannot ${command} a ${result.status} run`);
  bus.publish([{ run: { runId, jobName: result.jobName }, note: { type: EVENTS[command] } }]);
  if (command === 'cancel') worker.cancel(runId);
  // A retried run is pending, and a cancelled one may have freed its concurrency key.
  if (command !== 'delete') worker.wake();
  return result;
}
