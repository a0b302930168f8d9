// Checked by the compiler only. Nothing in here is executed.
import type { Dialect } from 'kysely';
import { z } from 'zod';
import {
  createDurably,
  type Durably,
  type DurablyEvent,
  type DurablyOptions,
  defineJob,
  type ErrorDetail,
  type JobHandle,
  type Run,
  type RunFilter,
  type WorkerErrorContext,
} from '../../src/index.ts';
import { type Equal, type Expect, typed } from './equal.ts';

const greet = defineJob({
  name: 'greet',
  input: z.object({ who: z.string() }),
  run: (_step, { who }) => `Hello ${who}`,
});
const count = defineJob({ name: 'count', input: z.number(), run: (_step, n) => n + 1 });

export async function givenJobsTypeTheInstance(dialect: Dialect): Promise<void> {
  const durably = createDurably({ dialect, jobs: { greet, counter: count } });
  typed<JobHandle<'greet', { who: string }, { who: string }, string>>()(durably.jobs.greet);
  typed<JobHandle<'count', number, number, number>>()(durably.jobs.counter);
  typed<string>()((await durably.jobs.greet.triggerAndWait({ who: 'you' })).output);
  // @ts-expect-error not registered
  durably.jobs.other;
  // @ts-expect-error a wrong input
  await durably.jobs.greet.trigger({ who: 7 });
  const { labels } = await durably.jobs.greet.trigger({ who: 'you' }, { labels: { org: '1' } });
  typed<Readonly<Record<string, string>>>()(labels);
  // @ts-expect-error labels are strings
  await durably.jobs.greet.getRuns({ labels: { org: 1 } });
  typed<Run>()(await durably.retrigger('run_1'));
  // More jobs may be registered later. They are typed where they are returned.
  const more = durably.register({ other: defineJob({ name: 'other', input: z.string(), run: () => 1 }) });
  await more.other.trigger('text');
}

/** The documented example compiles as it is written, whatever it registers later. */
export async function withoutJobsTheRecordIsOpen(dialect: Dialect): Promise<void> {
  const durably = createDurably({
    dialect,
    pollingInterval: 1000,
    heartbeatInterval: 5000,
    staleThreshold: 30000,
  });
  typed<Durably>()(durably);
  await durably.init();
  const { myJob } = durably.register({ myJob: greet });
  // Not `JobHandle | undefined`, so that no check is needed.
  const handles: { readonly [key: string]: { trigger(input: { id: string }): Promise<Run> } } = durably.jobs;
  await handles.myJob?.trigger({ id: '123' });
  await myJob.trigger({ who: 'you' });
  // @ts-expect-error the returned handle is exact
  await myJob.trigger({ id: '123' });
}

export function optionsAreChecked(dialect: Dialect): void {
  // @ts-expect-error the dialect is required
  createDurably({});
  // @ts-expect-error times are numbers
  createDurably({ dialect, pollingInterval: '1s' });
  // @ts-expect-error no such option
  createDurably({ dialect, interval: 5 });
  // @ts-expect-error jobs are definitions
  createDurably({ dialect, jobs: { greet: { name: 'greet' } } });
  const options: DurablyOptions = { dialect, maxConcurrentRuns: 5, reconnect: async () => undefined };
  createDurably(options);
}

export function eventsAreNarrowed(durably: Durably): void {
  const off: () => void = durably.on('run:start', () => undefined);
  off();
  durably.on('run:start', (event) => {
    typed<'run:start'>()(event.type);
    typed<number>()(event.attempt);
    typed<unknown>()(event.payload);
    typed<string>()(event.timestamp);
    typed<number>()(event.sequence);
    // @ts-expect-error another event's
    event.output;
  });
  durably.on('run:complete', ({ output, duration, runId, jobName }) => {
    typed<unknown>()(output);
    typed<number>()(duration);
    typed<string>()(runId);
    typed<string>()(jobName);
  });
  durably.on('run:fail', ({ error, failedStepName }) => {
    typed<string>()(error);
    typed<string>()(failedStepName);
  });
  durably.on('run:progress', ({ progress }) => {
    typed<number>()(progress.current);
    typed<string | undefined>()(progress.message);
  });
  durably.on('step:complete', ({ stepName, stepIndex, output, duration }) => {
    typed<string>()(stepName);
    typed<number>()(stepIndex + duration);
    typed<unknown>()(output);
  });
  durably.on('log:write', ({ stepName, level, message, data }) => {
    typed<string | null>()(stepName);
    typed<'info' | 'warn' | 'error'>()(level);
    typed<string>()(message);
    typed<unknown>()(data);
  });
  durably.on('run:fail', ({ error, errorDetail, failedStepName }) => {
    typed<string>()(error);
    typed<ErrorDetail | null>()(errorDetail);
    typed<string>()(failedStepName);
  });
  durably.on('worker:error', (event) => {
    typed<WorkerErrorContext>()(event.context);
    typed<string | undefined>()(event.runId);
    // @ts-expect-error a worker's error is of no job
    event.jobName;
  });
  // @ts-expect-error no such event
  durably.on('run:done', () => undefined);
  durably.onError((error, event) => {
    typed<unknown>()(error);
    typed<DurablyEvent>()(event);
  });
}

export function aUnionOfEventsNarrowsByType(event: DurablyEvent): string {
  switch (event.type) {
    case 'run:fail':
      return event.error + event.failedStepName;
    case 'step:fail':
      return `${event.stepName}: ${event.error}`;
    case 'worker:error':
      return event.context;
    default:
      return `${event.runId} ${event.jobName}`;
  }
}

export async function readsAreTyped(durably: Durably): Promise<void> {
  typed<Run | null>()(await durably.getRun('run_1'));
  typed<Run[]>()(await durably.getRuns({ jobName: ['a', 'b'], status: ['failed'], limit: 1, offset: 2 }));
  typed<ReadableStream<DurablyEvent>>()(durably.subscribe('run_1'));
  // @ts-expect-error no such status
  await durably.getRuns({ status: 'done' });
  // @ts-expect-error no such filter
  await durably.getRuns({ job: 'a' });
}

export type Shapes = [
  Expect<Equal<Run['status'], 'pending' | 'waiting' | 'running' | 'completed' | 'failed' | 'cancelled'>>,
  Expect<Equal<Run['payload'], unknown>>,
  Expect<
    Equal<
      Run['progress'],
      { readonly current: number; readonly total?: number; readonly message?: string } | null
    >
  >,
  Expect<Equal<Run<{ a: 1 }, { b: 2 }>['output'], { b: 2 } | null>>,
  Expect<Equal<RunFilter['limit'], number | undefined>>,
  Expect<Equal<DurablyEvent<'run:cancel'>['type'], 'run:cancel'>>,
];
