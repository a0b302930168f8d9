import { ConflictError, NotFoundError } from '../../../core/errors/errors.ts';
import type { RescheduleOptions } from '../../../core/managing/run-management.ts';
import { checkRunId } from '../../../core/run.ts';
import { toIsoTime } from '../../../core/time/clock.ts';
import { checkMembers, type MembersOf } from '../../../core/validation/known-names.ts';
import { refusalOf } from '../../../core/validation/refusal.ts';
import { dueOf } from '../../jobs/trigger-options.ts';
import type { RunsDeps } from '../runs-deps.ts';

const OPTIONS: MembersOf<RescheduleOptions> = { runAt: true, delay: true };

/** Gives a run that has not started another time. */
export async function reschedule(
  { store, bus, worker }: Pick<RunsDeps, 'store' | 'bus' | 'worker'>,
  runId: string,
  options: RescheduleOptions,
): Promise<void> {
  checkMembers('reschedule option', options, OPTIONS);
  const due = dueOf(options ?? {});
  if (due === undefined) {
    throw refusalOf([{ path: ['runAt'], message: 'runAt or delay must be given' }]);
  }
  const result = await store.reschedule({ runId: checkRunId(runId), due });
  if (result.kind === 'not-found') throw new NotFoundError('Run not found');
  if (result.kind === 'wrong-state') {
    const { status, hasStarted } = result;
    const isActive = status === 'pending' || status === 'waiting';
    throw new ConflictError(
      isActive && hasStarted
        ? `Cannot reschedule a ${status} run that has started`
        : `Cannot reschedule a ${status} run`,
    );
  }
  const { jobName, runAtMs, waits } = result;
  const data = JSON.stringify({ runAt: toIsoTime(runAtMs) });
  bus.publish([{ run: { runId, jobName }, note: { type: 'run:reschedule', data } }]);
  if (waits) worker.expectDueRun(due);
  else worker.wake();
}
