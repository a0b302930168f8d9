import { sql } from 'kysely';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { type DurablyPlugin, defineJob } from '../../src/index.ts';
import { createTestDurably } from '../../src/testing.ts';
import { deferred } from '../support/until.ts';

const nothing = z.object({});

const order = (calls: string[]) =>
  defineJob({
    name: 'order',
    input: nothing,
    run: async (step) => {
      calls.push('job');
      const paid = await step.run('charge', () => {
        calls.push('charge');
        return { id: 'real' };
      });
      calls.push('paid');
      await step.run('ship', () => void calls.push('ship'));
      return paid.id;
    },
  });

it('goes on in another process after a crash, without the steps that are finished', async () => {
  const calls: string[] = [];
  const job = order(calls);
  const t = await createTestDurably({ jobs: { order: job } });
  const first = t.durably;
  t.crashAfter('charge');
  const run = await t.run(job, {});
  expect(run).toMatchObject({ status: 'completed', attempt: 2, output: 'real' });
  expect(calls).toEqual(['job', 'charge', 'job', 'paid', 'ship']);
  expect(t.durably).not.toBe(first);
  await t.stop();
});

it('takes the run over once its lease is over, and not earlier', async () => {
  const job = order([]);
  const t = await createTestDurably({
    jobs: { order: job },
    staleThreshold: 60_000,
    heartbeatInterval: 10_000,
  });
  t.crashAfter('charge', { jobName: 'order' });
  const { id } = await t.jobs.order.trigger({});
  await t.advance('60s');
  expect(await t.durably.getRun(id)).toMatchObject({ status: 'running', attempt: 1 });
  await t.advance('1s');
  expect(await t.durably.getRun(id)).toMatchObject({ status: 'completed', attempt: 2 });
  await t.stop();
});

it('crashes once, and only after the step of the job that is meant', async () => {
  const job = order([]);
  const another = defineJob({ name: 'another', input: z.unknown(), run: () => 1 });
  const t = await createTestDurably({ jobs: { order: job, another } });
  t.crashAfter('charge', { jobName: 'another', optional: true });
  expect(await t.run(job, {})).toMatchObject({ attempt: 1 });
  t.crashAfter('charge');
  expect(await t.run(job, {})).toMatchObject({ attempt: 2 });
  expect(await t.run(job, {})).toMatchObject({ attempt: 1 });
  await t.stop();
});

it('calls no function of a parallel step in the process that has crashed', async () => {
  const calls: string[] = [];
  const released = deferred();
  const job = defineJob({
    name: 'parallel',
    input: nothing,
    run: async (step) => {
      const later = released.promise.then(() => step.run('later', () => calls.push(`later ${step.attempt}`)));
      await Promise.all([later, step.run('fast', () => calls.push(`fast ${step.attempt}`))]);
    },
  });
  const t = await createTestDurably({ jobs: { job } });
  t.crashAfter('fast');
  const { id } = await t.jobs.job.trigger({});
  await t.settle();
  released.resolve();
  expect(await t.finish(id)).toMatchObject({ status: 'completed', attempt: 2 });
  expect(calls).toEqual(['fast 1', 'later 2']);
  await t.stop();
});

it('commits the rows of a step in a transaction with its result, and crashes after that', async () => {
  const calls: number[] = [];
  const job = defineJob({
    name: 'book',
    input: nothing,
    run: async (step) => {
      const value = await step.transaction('book', async (trx) => {
        calls.push(step.attempt);
        await sql`create table books (id text)`.execute(trx);
        return 'stored';
      });
      return [value, step.attempt];
    },
  });
  const t = await createTestDurably({ jobs: { book: job } });
  t.crashAfter('book');
  expect(await t.run(job, {})).toMatchObject({ status: 'completed', output: ['stored', 2] });
  expect(calls).toEqual([1]);
  t.mockStep('book', (_signal, { attempt }) => `mocked ${attempt}`);
  expect(await t.run(job, {})).toMatchObject({ output: ['mocked 1', 1] });
  await t.stop();
});

it('calls a mock instead of the function of a step, until it is removed', async () => {
  const calls: string[] = [];
  const job = order(calls);
  const t = await createTestDurably({ jobs: { order: job } });
  const restore = t.mockStep('charge', () => ({ id: 'mocked' }));
  expect(await t.run(job, {})).toMatchObject({ output: 'mocked' });
  expect(calls).toEqual(['job', 'paid', 'ship']);
  restore();
  expect(await t.run(job, {})).toMatchObject({ output: 'real' });
  await t.stop();
});

it('gives a mock the signal and the number of the try, and retries it', async () => {
  const job = defineJob({
    name: 'retried',
    input: nothing,
    run: async (step) => await step.run('call', { retries: 2 }, () => 'real'),
  });
  const t = await createTestDurably({ jobs: { job } });
  t.mockStep('call', (signal, { attempt }) => {
    if (attempt < 3) throw new Error('not yet');
    return `${attempt} ${signal.aborted}`;
  });
  expect(await t.run(job, {})).toMatchObject({ output: '3 false' });
  await t.stop();
});

it('mocks a step of one job only, if that is asked for', async () => {
  const one = defineJob({ name: 'one', input: nothing, run: (step) => step.run('same', () => 'real') });
  const two = defineJob({ name: 'two', input: nothing, run: (step) => step.run('same', () => 'real') });
  const t = await createTestDurably({ jobs: { one, two } });
  t.mockStep('same', () => 'mocked', { jobName: 'one' });
  expect([(await t.run(one, {})).output, (await t.run('two', {})).output]).toEqual(['mocked', 'real']);
  await t.stop();
});

it('times out a step whose mock hangs', async () => {
  const job = defineJob({
    name: 'slow',
    input: nothing,
    run: async (step) => await step.run('call', { timeout: '1h' }, () => 'real'),
  });
  const t = await createTestDurably({ jobs: { job } });
  t.mockStep('call', 'hangs');
  const begin = t.now().getTime();
  expect(await t.run(job, {})).toMatchObject({ status: 'failed' });
  expect(t.now().getTime() - begin).toBe(3_600_000);
  await t.stop();
});

it('sends a signal to a run that waits for it', async () => {
  const job = defineJob({
    name: 'asking',
    input: nothing,
    run: (step) => step.waitForSignal('answer', { timeout: '7d' }),
  });
  const t = await createTestDurably({ jobs: { asking: job } });
  const { id } = await t.jobs.asking.trigger({});
  await t.signal(id, 'answer', { ok: true });
  expect(await t.finish(id)).toMatchObject({ status: 'completed', output: { ok: true } });
  await t.stop();
});

it('tells of a run that is unknown, a bad input and a bad duration', async () => {
  const t = await createTestDurably({ jobs: { order: order([]) } });
  await expect(t.finish('run_x')).rejects.toThrow('run_x');
  await expect(t.run('order', 7)).rejects.toThrow();
  await expect(t.advance('a day' as '1d')).rejects.toThrow(/duration/);
  await t.stop();
});

it('calls plugins, and waits for those that take real time', async () => {
  const rot: DurablyPlugin = {
    name: 'reversed',
    encode: async (text) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return [...text].reverse().join('');
    },
    decode: (text) => [...text].reverse().join(''),
  };
  const job = order([]);
  const t = await createTestDurably({ jobs: { order: job }, use: [rot], now: '2030-01-01T00:00:00Z' });
  expect(await t.run(job, {})).toMatchObject({ output: 'real', completedAt: '2030-01-01T00:00:00.000Z' });
  await t.stop();
});

it('gives each test an instance of its own', async () => {
  const job = order([]);
  const [one, two] = await Promise.all([
    createTestDurably({ jobs: { order: job } }),
    createTestDurably({ jobs: { order: job } }),
  ]);
  await one.run(job, {});
  expect(await two.durably.getRuns()).toEqual([]);
  await one.stop();
  await two[Symbol.asyncDispose]();
});

it('gives up a plugin that never answers, by name', async () => {
  const job = order([]);
  const heard: string[] = [];
  const plugin: DurablyPlugin = {
    name: 'hangs',
    events: ['run:fail'],
    onEvent: ({ type }) => void heard.push(type),
    encode: (text) => (text === '{"id":"real"}' ? new Promise<never>(() => undefined) : text),
    decode: (encoded) => encoded,
  };
  const t = await createTestDurably({ jobs: { order: job }, use: [plugin] });
  expect(await t.run(job, {})).toMatchObject({
    status: 'failed',
    error: 'Step "charge": Plugin "hangs" has not answered encode within 10 s',
  });
  expect(heard).toEqual(['run:fail']);
  await t.stop();
});

it('waits for a plugin that takes its time with each of many payloads', async () => {
  const slowly = async (text: string) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return text;
  };
  const many = defineJob({
    name: 'many',
    input: nothing,
    run: async (step) => {
      for (let i = 0; i < 30; i++) await step.run(`step ${i}`, () => i);
    },
  });
  const t = await createTestDurably({
    jobs: { many },
    use: [{ name: 'slow', encode: slowly, decode: slowly }],
  });
  const begun = t.now();
  expect(await t.run(many, {})).toMatchObject({ status: 'completed', stepCount: 30 });
  expect(t.now()).toEqual(begun);
  await t.stop();
});
