import { newRunId } from '../../core/id.ts';
import type { Plan } from '../../core/schedules/plan.ts';
import type { DueSchedule } from '../../core/schedules/schedule.ts';
import type { Fired, Firing } from '../../core/schedules/schedule-store.ts';
import type { Committed } from '../events/event-bus.ts';

/** What the store is to do for a plan. */
export function toFiring({ id, revision, nextAtMs, overlap }: DueSchedule, plan: Plan): Firing {
  return {
    scheduleId: id,
    revision,
    slotMs: nextAtMs ?? 0,
    validFromMs: plan.validFromMs,
    validUntilMs: plan.validUntilMs,
    nextAtMs: plan.nextAtMs,
    runs: plan.slots.map((scheduledForMs) => ({ runId: newRunId(), scheduledForMs })),
    cancelsEarlier: overlap === 'cancel',
  };
}

/**
 * What firings have done, as this process's listeners hear of it.
 *
 * @param jobNames by schedule
 */
export function eventsOf(
  firings: readonly Firing[],
  { runIds, cancelled }: Fired,
  jobNames: ReadonlyMap<string, string>,
): Committed[] {
  const triggered = firings.flatMap(({ scheduleId, runs }) =>
    runs.flatMap(({ runId }): Committed[] => {
      const jobName = jobNames.get(scheduleId);
      if (!runIds.has(runId) || jobName === undefined) return [];
      return [{ run: { runId, jobName }, note: { type: 'run:trigger' } }];
    }),
  );
  return [...cancelled.map((run): Committed => ({ run, note: { type: 'run:cancel' } })), ...triggered];
}
