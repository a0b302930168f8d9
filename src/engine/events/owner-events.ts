import type { ClaimedRun } from '../../core/ownership/claim.ts';
import type { OwnerEntry } from '../../core/store.ts';
import { type Clock, toIsoTime } from '../../core/time/clock.ts';
import type { ChildStart } from '../../core/triggers/new-run.ts';
import type { Committed } from './event-bus.ts';

/** What this process is told of the notes that a run's owner has stored. A step that starts a run triggers it, too. */
export function ownerEvents(run: ClaimedRun, entries: readonly OwnerEntry[], clock: Clock): Committed[] {
  const nowMs = clock.monotonicMs();
  return entries.flatMap(({ note, atMs }) => {
    const own = { run, note, ageMs: nowMs - atMs };
    if (note.child === undefined) return [own];
    return [own, triggered(note.child, { parentRunId: run.runId, nowMs: clock.now(), ageMs: own.ageMs })];
  });
}

function triggered(
  { id: runId, jobName, due }: ChildStart,
  {
    parentRunId,
    nowMs,
    ageMs,
  }: { readonly parentRunId: string; readonly nowMs: number; readonly ageMs: number },
): Committed {
  const atMs = due === undefined ? undefined : 'atMs' in due ? due.atMs : nowMs + due.afterMs;
  const runAt = atMs === undefined ? undefined : toIsoTime(atMs);
  const data = JSON.stringify({ runAt, parentRunId });
  return { run: { runId, jobName }, note: { type: 'run:trigger', data }, ageMs };
}
