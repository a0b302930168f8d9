import type { DurablyEvent, EventType } from '../../src/core/events.ts';
import { EVENT_TYPES } from '../../src/core/events.ts';
import type { Run, RunStatus } from '../../src/core/run.ts';
import type { Durably } from '../../src/create-durably.ts';
import { idle } from './idle.ts';
import { until } from './until.ts';
import type { Instance } from './world.ts';

/** A time as it is stored and shown: ISO 8601 in UTC, with milliseconds. */
export const ISO_MS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Waits until the run has this status. */
export async function untilStatus(durably: Durably, runId: string, status: RunStatus): Promise<Run> {
  return await until(async () => {
    const run = await durably.getRun(runId);
    return run?.status === status ? run : null;
  }, `run ${runId} to be ${status}`);
}

/** Waits until this process emits the end of the run, without asking the database. Returns that event. */
export function untilEnded(durably: Durably, runId: string): Promise<DurablyEvent> {
  return new Promise((resolve) => {
    for (const type of ['run:complete', 'run:fail', 'run:cancel'] as const) {
      durably.on(type, (event) => event.runId === runId && resolve(event));
    }
  });
}

/** The next event of this type that this process emits, optionally of one run. */
export function nextEvent<E extends EventType>(
  durably: Durably,
  type: E,
  runId?: string,
): Promise<DurablyEvent<E>> {
  return new Promise((resolve) => {
    const unsubscribe = durably.on(type, (event) => {
      if (runId !== undefined && event.runId !== runId) return;
      unsubscribe();
      resolve(event);
    });
  });
}

/** Triggers a run and waits until this instance has started it. */
export async function startRun<TInput, TRun>(
  durably: Durably,
  handle: { trigger(input: TInput): Promise<TRun> },
  input: TInput,
): Promise<TRun> {
  const started = nextEvent(durably, 'run:start');
  const run = await handle.trigger(input);
  await started;
  return run;
}

/** Records all events that an instance emits from now on. */
export function recordEvents(durably: Durably, types: readonly EventType[] = EVENT_TYPES): DurablyEvent[] {
  const events: DurablyEvent[] = [];
  for (const type of types) durably.on(type, (event) => void events.push(event));
  return events;
}

export async function readAll<T>(stream: ReadableStream<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of stream as unknown as AsyncIterable<T>) values.push(value);
  return values;
}

/** The types of a run's events in the journal, in order. */
export async function journalTypes(durably: Durably, runId: string): Promise<string[]> {
  const rows = await durably.db
    .selectFrom('durably_journal')
    .select('type')
    .where('run_id', '=', runId)
    .orderBy('sequence')
    .execute();
  return rows.map(({ type }) => type);
}

/** Makes a running run's heartbeat older by this time, by the database's own clock. */
export async function ageHeartbeat(durably: Durably, runId: string, byMs: number): Promise<void> {
  await durably.db
    .updateTable('durably_runs')
    .set((eb) => ({ heartbeat_at: eb('heartbeat_at', '-', byMs) }))
    .where('id', '=', runId)
    .execute();
}

/** The error with which a promise rejects. */
export async function rejectionOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error('rejected with what is not an Error', { cause: error });
  }
  throw new Error('resolved, though it should have been rejected');
}

/** Waits until the instance has looked for work this many more times, and has executed what it found. */
export async function untilLooked({ statements }: Instance, times = 3): Promise<void> {
  const looks = () => statements.filter(({ sql }) => sql.includes('claim_token =')).length;
  const before = looks();
  await until(() => looks() >= before + times, `${times} more claims`);
  await idle();
}
