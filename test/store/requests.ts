import { randomUUID } from 'node:crypto';
import { newRevision, newRunId, newSignalId } from '../../src/core/id.ts';
import type { RunQuery } from '../../src/core/lists/run-query.ts';
import type { Claim, ClaimedRun, ClaimRequest } from '../../src/core/ownership/claim.ts';
import type { Lease } from '../../src/core/ownership/lease.ts';
import type { DueSchedule } from '../../src/core/schedules/schedule.ts';
import type { Firing, NewSchedule } from '../../src/core/schedules/schedule-store.ts';
import type { NewSignal } from '../../src/core/signal.ts';
import type { Append, OwnerEntry, OwnerNote, Portions, Store } from '../../src/core/store.ts';
import type { NewRun } from '../../src/core/triggers/new-run.ts';

export const STALE_MS = 30_000;

/** A run of the job `job` without keys and labels, unless the test says otherwise. */
export function newRun(given: Partial<NewRun> = {}): NewRun {
  return {
    id: newRunId(),
    jobName: 'job',
    payload: '0',
    idempotencyKey: null,
    concurrencyKey: null,
    labels: null,
    ...given,
  };
}

/** Stores a run and returns its id. */
export async function enqueue(store: Store, given: Partial<NewRun> = {}): Promise<string> {
  const run = newRun(given);
  await store.enqueue([run]);
  return run.id;
}

export function claim(
  store: Store,
  { deadlineMs, ...given }: Partial<ClaimRequest> & { deadlineMs?: number } = {},
): Promise<Claim> {
  const request = {
    jobNames: ['job'],
    limit: 1,
    claimToken: randomUUID(),
    isAskedAgain: false,
    wakesDue: true,
    staleThresholdMs: STALE_MS,
    takesSuspect: true,
    ...given,
  };
  return store.claim(() => request, { deadlineMs, hasLimits: (given.limits ?? []).length > 0 });
}

/** The ids of the runs that a claim takes, in the claim's order. */
export async function claimIds(store: Store, given: Partial<ClaimRequest> = {}): Promise<string[]> {
  return (await claim(store, given)).runs.map(({ runId }) => runId);
}

/** Claims exactly one run. */
export async function claimOne(store: Store, given: Partial<ClaimRequest> = {}): Promise<ClaimedRun> {
  const { runs } = await claim(store, given);
  const [run] = runs;
  if (run === undefined || runs.length > 1) throw new Error(`claimed ${runs.length} runs, not one`);
  return run;
}

/** A run that was stored and claimed. */
export async function running(store: Store, given: Partial<NewRun> = {}): Promise<ClaimedRun> {
  const id = await enqueue(store, given);
  const run = await claimOne(store, { jobNames: [given.jobName ?? 'job'] });
  if (run.runId !== id) throw new Error('another run was claimed');
  return run;
}

/** When appends are sent, on the owner's monotonic clock. */
const SENT_AT_MS = 1_000_000;

export function entry(note: OwnerNote, ageMs = 0): OwnerEntry {
  return { note, atMs: SENT_AT_MS - ageMs };
}

export function stepCompleted(stepName: string, stepIndex: number, data: string | null = '1'): OwnerEntry {
  return entry({ type: 'step:complete', stepName, stepIndex, data, durationMs: 1 });
}

export function stepFailed(stepName: string, stepIndex: number, message = 'failed'): OwnerEntry {
  return entry({ type: 'step:fail', stepName, stepIndex, message, data: '{"name":"Error"}' });
}

export const completed = (data: string | null = '1'): OwnerEntry =>
  entry({ type: 'run:complete', data, durationMs: 1 });

export const failed = (message = 'failed'): OwnerEntry =>
  entry({ type: 'run:fail', message, data: '{"name":"Error"}', stepName: 'step' });

/** Sends an append. It is the first of its claim unless a number is given. */
export function append(
  store: Store,
  { runId, fence }: Lease,
  entries: readonly OwnerEntry[],
  number: Append['number'] = 1,
  isRepeated = false,
): Promise<'stored' | 'refused'> {
  return store.append({ lease: { runId, fence }, number, sentAtMs: SENT_AT_MS, entries, isRepeated });
}

export function query(given: Partial<RunQuery> = {}): RunQuery {
  return {
    jobNames: [],
    statuses: [],
    parentRunId: null,
    scheduleId: null,
    labels: [],
    fields: null,
    limit: 100,
    offset: 0,
    before: null,
    createdAfter: null,
    createdBefore: null,
    q: null,
    ...given,
  };
}

/** A whole list that comes in portions. */
export async function all<T>(portions: Portions<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const portion of portions) items.push(...portion);
  return items;
}

export async function listIds(store: Store, given: Partial<RunQuery> = {}): Promise<(string | undefined)[]> {
  const { portions } = await store.listRuns(query(given));
  return (await all(portions)).map(({ id }) => id);
}

/** The types of a run's events, oldest first, without rows that a deletion left over. */
export async function eventTypes(store: Store, runId: string): Promise<string[]> {
  const { rows } = await store.readRunJournal({ runId, after: 0, limit: 10_000 });
  return rows.filter(({ isLeftOver }) => !isLeftOver).map(({ type }) => type);
}

/** The run and all its events, to check that nothing changes. */
export async function snapshot(store: Store, runId: string) {
  return {
    run: await store.getRun(runId),
    events: (await store.readRunJournal({ runId, after: 0, limit: 10_000 })).rows,
    steps: await all(store.listSteps(runId)),
  };
}

/** Lets this many workers vanish in a row: each claims the run, and its heartbeat becomes stale. */
export async function loseWorkers(
  store: Store,
  tools: { ageHeartbeat(runId: string, byMs: number): Promise<void> },
  { runId, times }: { runId: string; times: number },
): Promise<void> {
  for (let i = 0; i < times; i++) {
    const ids = await claimIds(store, { limit: 1 });
    if (!ids.includes(runId)) throw new Error('the run was not claimed');
    await tools.ageHeartbeat(runId, STALE_MS + 1_000);
  }
}

/** A signal without an id of its sender's. */
export function newSignal(runId: string, changes: Partial<NewSignal> = {}): NewSignal {
  return { id: newSignalId(), runId, name: 'go', payload: 'null', signalId: null, ...changes };
}

export const HOUR_MS = 3_600_000;

/** An hourly schedule of the job `job`, whose next slot comes within the hour, unless the test says otherwise. */
export function newSchedule(given: Partial<NewSchedule> = {}): NewSchedule {
  return {
    id: 'schedule',
    jobName: 'job',
    revision: newRevision(),
    timing: JSON.stringify({
      cron: null,
      everyMs: HOUR_MS,
      timezone: 'UTC',
      startAtMs: null,
      endAtMs: null,
    }),
    anchorMs: 0,
    nextAtMs: Math.ceil(Date.now() / HOUR_MS) * HOUR_MS,
    missed: 'skip',
    overlap: 'allow',
    priority: 0,
    fixedVersion: null,
    labels: null,
    payload: '0',
    ...given,
  };
}

/** A firing with one run for the next slot of the schedule, which moves on by an hour. */
export function firing(schedule?: DueSchedule, given: Partial<Firing> = {}): Firing {
  const slotMs = schedule?.nextAtMs ?? 0;
  return {
    scheduleId: schedule?.id ?? 'schedule',
    revision: schedule?.revision ?? 'unknown',
    slotMs,
    validFromMs: slotMs,
    validUntilMs: null,
    nextAtMs: slotMs + HOUR_MS,
    runs: [{ runId: newRunId(), scheduledForMs: slotMs }],
    cancelsEarlier: schedule?.overlap === 'cancel',
    ...given,
  };
}
