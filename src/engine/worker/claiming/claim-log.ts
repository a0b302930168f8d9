import { type JournalNote, UNKNOWN_STEP } from '../../../core/events.ts';
import type { ClaimedRun, LostRun } from '../../../core/ownership/claim.ts';
import type { EventBus } from '../../events/event-bus.ts';
import type { RunLog } from '../../events/run-log.ts';

/** Writes the log's lines for runs that a claim has failed. */
export function logLost(
  lost: readonly LostRun[],
  { log, bus }: { readonly log: RunLog; readonly bus: EventBus },
): void {
  const isHeard = bus.isHeard('run:fail');
  for (const run of lost) log.failed(run, { error: run.error, failedStepName: UNKNOWN_STEP, isHeard });
}

/** Writes the log's lines for claimed runs that were begun before. */
export function logBegun(runs: readonly ClaimedRun[], { log }: { readonly log: RunLog }): void {
  for (const run of runs) {
    if (run.kind === 'takeover') log.takenOver(run);
    else if (run.kind === 'resume' || run.attempt > 1) log.resumed(run);
  }
}

/** The event of a run that was claimed. */
export function claimNote({ kind, payload }: ClaimedRun): JournalNote {
  return kind === 'resume' ? { type: 'run:resume' } : { type: 'run:start', data: payload };
}
