import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { dropPromises } from '../../src/core/errors/dropped.ts';
import { createDurably, defineJob, type StepContext } from '../../src/index.ts';
import { openDatabase } from '../../src/sqlite.ts';
import { idle } from '../support/idle.ts';
import { watchProcess } from '../support/processes/watch-process.ts';
import { untilStatus } from '../support/runs.ts';

/** A promise of a user's that rejects, in a place where nobody awaits it. */
const rejected = (): never => Promise.reject(new Error('of the user')) as never;
const limits = { limit: 1, perKey: 1 };

async function start<const T extends NonNullable<Parameters<typeof createDurably>[0]['jobs']>>(jobs: T) {
  const database = await openDatabase({ url: ':memory:' });
  const durably = createDurably({ dialect: database.dialect, jobs });
  onTestFinished(async () => {
    await durably.stop();
    await database.close();
  });
  await durably.init();
  return durably;
}

const job = (run: (step: StepContext) => unknown) => defineJob({ name: 'job', input: z.any(), run });

let raised: unknown[];
beforeEach(() => {
  raised = watchProcess();
});

/** Node reports a rejection after the turn in which nobody has taken it. */
async function expectNothingRaised(): Promise<void> {
  await idle();
  await idle();
  expect(raised).toEqual([]);
}

test('keys of limits that are promises refuse the trigger', async () => {
  const durably = await start({
    keyed: defineJob({
      name: 'keyed',
      input: z.any(),
      concurrency: { ...limits, key: rejected },
      run: () => 1,
    }),
    throttled: defineJob({
      name: 'throttled',
      input: z.any(),
      throttle: { limit: 1, per: '1s', key: rejected },
      run: () => 1,
    }),
  });
  await expect(durably.jobs.keyed.trigger(1)).rejects.toThrow(
    'concurrency.key of job keyed must return a string, not a promise',
  );
  await expect(durably.jobs.throttled.trigger(1)).rejects.toThrow('must return a string, not a promise');
  await expectNothingRaised();
});

const thrower = () => {
  throw new Error('first');
};

test('a delay of retries that is a promise fails the run', async () => {
  const durably = await start({
    job: defineJob({ name: 'job', input: z.any(), retries: { limit: 1, delay: rejected }, run: thrower }),
    step: defineJob({
      name: 'step',
      input: z.any(),
      run: (step) => step.run('a', { retries: { limit: 1, delay: rejected } }, thrower),
    }),
  });
  for (const handle of [durably.jobs.job, durably.jobs.step]) {
    const { id } = await handle.trigger(1);
    expect((await untilStatus(durably, id, 'failed')).error).toContain('not a promise');
  }
  await expectNothingRaised();
});

const group = (errors: unknown[]) => new AggregateError(errors, 'all have failed');

const thrown: Record<string, () => unknown> = {
  'a promise': rejected,
  'a cause': () => new Error('outer', { cause: rejected() }),
  'the cause of a cause': () => new Error('outer', { cause: new Error('inner', { cause: rejected() }) }),
  'errors of a group': () => group([new Error('one'), rejected(), rejected()]),
  'a getter': () => Object.defineProperty(new Error('outer'), 'cause', { get: rejected }),
  'a field of an object': () => ({ code: 1, of: rejected() }),
  'a list': () => [rejected(), rejected()],
  'an object like a promise': () => {
    const promise: Promise<unknown> = rejected();
    // biome-ignore lint/suspicious/noThenProperty: thenables are what is tested.
    return { then: promise.then.bind(promise) };
  },
  // biome-ignore lint/suspicious/noThenProperty: thenables are what is tested.
  'a promise with a then of its own': () => Object.assign(rejected() as object, { then: thrower }),
};

test.for(Object.entries(thrown))('a thrown value that is or holds %s fails the run', async ([, make]) => {
  const throws = () => {
    throw make();
  };
  const durably = await start({
    job: job(throws),
    step: defineJob({
      name: 'step',
      input: z.any(),
      run: (step) => step.run('a', { retries: { limit: 1, delay: 0 } }, throws),
    }),
  });
  for (const handle of [durably.jobs.job, durably.jobs.step]) {
    await untilStatus(durably, (await handle.trigger(1)).id, 'failed');
  }
  await expectNothingRaised();
});

const values: Record<string, () => unknown> = {
  'a toJSON that returns a promise': () => ({ toJSON: rejected }),
  'a list of what has such a toJSON': () => [{ toJSON: rejected }],
  'a member that is a promise': () => ({ of: rejected() }),
  'a promise beside what JSON can not hold': () => [1n, rejected()],
};

test.for(Object.entries(values))(
  '%s harms nobody in outputs, results, log lines and inputs',
  async ([, make]) => {
    const durably = await start({
      job: job(async (step) => {
        step.log.info('line', make());
        step.log.info(rejected());
        step.emit('event', make());
        step.emit(rejected());
        step.progress(make() as never, rejected(), rejected());
        step.progress(1, 2, rejected());
        await step.run('step', make).catch(() => undefined);
        return make();
      }),
      echo: defineJob({ name: 'echo', input: z.any(), run: (_step, payload) => payload }),
      strict: defineJob({ name: 'strict', input: z.object({ name: z.string() }), run: () => 1 }),
    });
    await durably.jobs.job.triggerAndWait(1).catch(() => undefined);
    await durably.jobs.echo.triggerAndWait(make()).catch(() => undefined);
    await expect(durably.jobs.strict.trigger(make() as never)).rejects.toThrow('Invalid input');
    await expect(durably.jobs.strict.trigger({ name: rejected() })).rejects.toThrow('Invalid input');
    const { id } = await durably.jobs.echo.trigger(1, { delay: '1h' });
    await durably.signal(id, 'told', make()).catch(() => undefined);
    await expectNothingRaised();
  },
);

test('arguments that are promises are refused', async () => {
  const calls: ((step: StepContext) => Promise<unknown>)[] = [
    (step) => step.run('a function that was called too early', rejected()),
    (step) => step.run(rejected(), () => 1),
    (step) => step.run('options', rejected(), () => 1),
    (step) => step.sleep('sleep', rejected()),
    (step) => step.sleepUntil('until', rejected()),
    (step) => step.waitForSignal('signal', { timeout: rejected() }),
    (step) => step.waitForSignal('named', { signal: rejected() }),
    (step) => step.waitForSignal('options of it', rejected()),
    (step) => step.invoke('job', rejected(), 1),
    (step) => step.invoke('options of invoke', 'job', 1, rejected()),
  ];
  const durably = await start({
    job: defineJob({
      name: 'job',
      input: z.any(),
      run: async (step) => {
        const ends = await Promise.allSettled(calls.map((call) => call(step)));
        return ends.map(({ status }) => status);
      },
    }),
  });
  const { output } = await durably.jobs.job.triggerAndWait(1);
  expect(output).toEqual(calls.map(() => 'rejected'));
  const { job } = durably.jobs;
  const refused: (() => Promise<unknown>)[] = [
    () => job.trigger(1, rejected()),
    () => job.trigger(1, { labels: rejected() }),
    () => job.trigger(1, { labels: { a: rejected() } }),
    () => job.trigger(1, { idempotencyKey: rejected() }),
    () => job.trigger(1, { delay: rejected() }),
    () => job.trigger(1, { priority: rejected() }),
    () => job.trigger(1, { debounce: rejected() }),
    () => job.triggerAndWait(1, { timeout: rejected() }),
    () => job.batchTrigger([{ input: 1, options: rejected() }]),
    () => durably.trigger({ jobName: rejected(), input: 1 }),
    () => durably.getRuns(rejected()),
    () => durably.getRuns({ status: rejected() }),
    () => durably.getRun(rejected()),
    () => durably.signal('run_1', rejected()),
    () => durably.signal('run_1', 'name', 1, { signalId: rejected() }),
    () => durably.cancel(rejected()),
    () => durably.cancelRuns(rejected()),
    () => durably.cancelRuns({ all: true }, { allow: rejected() }),
    () => durably.schedule({ id: 'a', jobName: 'job', every: rejected(), input: 1 }),
    () => durably.schedule({ id: rejected(), jobName: 'job', every: '1h', input: 1 }),
    () => durably.processUntilIdle({ maxRuns: rejected() }),
    () => durably.stop({ timeoutMs: rejected() }),
  ];
  for (const [i, call] of refused.entries()) await expect(call(), `call ${i}`).rejects.toThrow();
  expect(() => durably.on('run:complete', rejected())).toThrow('must be a function');
  await expectNothingRaised();
});

test('a value that throws when it is looked at is dropped like any other', () => {
  const hostile = new Proxy({}, { get: thrower, getPrototypeOf: thrower, ownKeys: thrower, has: thrower });
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  const getter = Object.defineProperty({}, 'then', { get: thrower });
  const circular: unknown[] = [];
  circular.push(circular, hostile, revoked, getter, new Uint8Array(8));
  for (const value of [hostile, revoked, getter, circular, null, 1, 'text', thrower]) {
    expect(() => dropPromises(value)).not.toThrow();
  }
});
