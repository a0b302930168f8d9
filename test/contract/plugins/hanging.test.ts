import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'vitest';
import type { DurablyPlugin } from '../../../src/index.ts';
import { PluginTimeoutError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { receiver } from '../../support/net/receiver.ts';
import { nextEvent, readAll, recordEvents, rejectionOf } from '../../support/runs.ts';
import { unreadable } from '../../support/unreadable.ts';

const never = () => new Promise<never>(() => undefined);

/** Never answers for texts with `bad` in them. Until it is told to, it does. */
function hanging() {
  const { encode, decode } = unreadable();
  const hangs = { encode: false, decode: false };
  const plugin: DurablyPlugin = {
    name: 'hanging',
    encode: async (text) =>
      hangs.encode && text.includes('bad') ? await never() : ((await encode?.(text)) ?? ''),
    async decode(encoded) {
      const text = (await decode?.(encoded)) ?? '';
      return hangs.decode && text.includes('bad') ? await never() : text;
    },
  };
  return { plugin, hangs };
}

/** Lets time pass until the promise is settled. Returns how much that took, ms. */
async function passing(clock: FakeClock, promise: Promise<unknown>): Promise<number> {
  const startMs = clock.now();
  let isSettled = false;
  const end = () => {
    isSettled = true;
  };
  promise.then(end, end);
  for (;;) {
    await idle();
    await nextTurn();
    if (isSettled) return clock.now() - startMs;
    clock.advance(100);
  }
}

contract(
  'a plugin that never answers',
  (test) => {
    test('fails a trigger by name, and nothing is stored', async ({ world }) => {
      const clock = new FakeClock();
      const { plugin, hangs } = hanging();
      const { durably } = await world.idle({ use: [plugin], clock });
      durably.register({ echo });
      hangs.encode = true;
      const refused = rejectionOf(durably.trigger({ jobName: 'echo', input: 'bad' }));
      expect(await passing(clock, refused)).toBe(10_000);
      expect(await refused).toBeInstanceOf(PluginTimeoutError);
      expect(await refused).toMatchObject({
        code: 'PLUGIN_TIMEOUT',
        message: 'Plugin "hanging" has not answered encode within 10 s',
      });
      expect(await durably.getRuns()).toEqual([]);
    });

    test('fails a trigger by name in onTrigger', async ({ world }) => {
      const clock = new FakeClock();
      const { durably } = await world.idle({ use: [{ name: 'slow', onTrigger: never }], clock });
      durably.register({ echo });
      const refused = rejectionOf(durably.trigger({ jobName: 'echo', input: 1 }));
      expect(await passing(clock, refused)).toBe(10_000);
      expect((await refused).message).toBe('Plugin "slow" has not answered onTrigger within 10 s');
    });

    test('fails the step whose result it has to encode, and holds up no other run', async ({ world }) => {
      const clock = new FakeClock();
      const { plugin, hangs } = hanging();
      const { durably } = await world.idle({ use: [plugin], clock, maxConcurrentRuns: 2 });
      const task = job('task', (step, result) =>
        step.run('work', () => `${result} ${hangs.encode ? 'bad' : ''}`).catch(() => 'caught'),
      );
      durably.register({ task, echo });
      const bad = await durably.trigger({ jobName: 'task', input: 0 });
      const good = await durably.trigger({ jobName: 'echo', input: 1 });
      hangs.encode = true;
      const completed = nextEvent(durably, 'run:complete', good.id);
      const worked = durably.processUntilIdle();
      await completed;
      expect(clock.monotonicMs()).toBe(0);
      // The result, and then the message of the error.
      expect(await passing(clock, worked)).toBe(10_000);
      expect(await durably.getRun(bad.id)).toMatchObject({ status: 'completed', output: 'caught' });
      expect(await durably.getSteps(bad.id)).toMatchObject([
        { status: 'failed', error: 'Step "work": Plugin "hanging" has not answered encode within 10 s' },
      ]);
    });

    test('loses the log line that it has to encode, and nothing beside it', async ({ world }) => {
      const clock = new FakeClock();
      const { plugin, hangs } = hanging();
      const { durably } = await world.idle({ use: [plugin], clock });
      const events = recordEvents(durably, ['worker:error']);
      const task = job('task', async (step) => {
        step.log.info('one');
        for (let i = 0; i < 5; i++) step.log.info(`bad ${i}`);
        step.log.info('two');
        return await step.run('work', () => 'good');
      });
      durably.register({ task });
      const { id } = await durably.trigger({ jobName: 'task', input: 0 });
      hangs.encode = true;
      expect(await passing(clock, durably.processUntilIdle())).toBe(10_000);
      expect(await durably.getRun(id)).toMatchObject({ status: 'completed', output: 'good' });
      expect((await durably.getLogs({ runId: id })).map(({ message }) => message)).toEqual(['one', 'two']);
      expect(events.map((event) => event.type === 'worker:error' && event.context)).toEqual(
        Array(5).fill('telemetry'),
      );
    });

    test('keeps no run from being handed back when the worker stops', async ({ world }) => {
      const clock = new FakeClock();
      const { plugin, hangs } = hanging();
      const { durably } = await world.start({ use: [plugin], clock, maxConcurrentRuns: 3 });
      const events = recordEvents(durably, ['worker:error']);
      const task = job('task', async (step, what) => {
        if (what === 'ends') return 'bad';
        step.log.info(what === 'logs' ? 'bad' : 'good');
        return await step.run('work', never);
      });
      durably.register({ task });
      const inputs = ['logs', 'works', 'ends'];
      hangs.encode = true;
      const runs = await Promise.all(inputs.map((input) => durably.trigger({ jobName: 'task', input })));
      await idle();
      expect(durably.countRunning()).toBe(3);
      expect(await passing(clock, durably.stop({ timeoutMs: 0 }))).toBe(1_000);
      const statuses = await Promise.all(runs.map(async ({ id }) => (await durably.getRun(id))?.status));
      expect(statuses).toEqual(['pending', 'pending', 'running']);
      const contexts = events.map((event) => event.type === 'worker:error' && [event.context, event.error]);
      expect(contexts).toEqual([
        ['plugin', 'what a stopped run had to store was not encoded in time'],
        ['hand-back', 'the runs are handed back, and what else was under way has not ended in time'],
      ]);
    });

    test('fails the run whose input it has to decode, and holds up none that was claimed with it', async ({
      world,
    }) => {
      const clock = new FakeClock();
      const { plugin, hangs } = hanging();
      const { durably } = await world.idle({ use: [plugin], clock, maxConcurrentRuns: 2 });
      const started = recordEvents(durably, ['run:start']);
      let calls = 0;
      const task = job('task', (_, input) => [++calls, input]);
      durably.register({ task });
      const bad = await durably.trigger({ jobName: 'task', input: 'bad' });
      const good = await durably.trigger({ jobName: 'task', input: 'good' });
      hangs.decode = true;
      const completed = nextEvent(durably, 'run:complete', good.id);
      const worked = durably.processUntilIdle();
      await completed;
      expect(clock.monotonicMs()).toBe(0);
      expect(await passing(clock, worked)).toBe(10_000);
      expect(calls).toBe(1);
      expect(started).toMatchObject([
        { runId: good.id, payload: 'good' },
        { runId: bad.id, payload: '[encrypted]' },
      ]);
      hangs.decode = false;
      expect(await durably.getRun(bad.id)).toMatchObject({
        status: 'failed',
        error: 'Plugin "hanging" has not answered decode within 10 s',
        errorDetail: { name: 'PluginTimeoutError', code: 'PLUGIN_TIMEOUT' },
      });
    });

    test('leaves a run that can be cancelled while its input is decoded', async ({ world }) => {
      const clock = new FakeClock();
      const { plugin, hangs } = hanging();
      const { durably } = await world.start({ use: [plugin], clock });
      durably.register({ echo });
      hangs.decode = true;
      const { id } = await durably.trigger({ jobName: 'echo', input: 'bad' });
      await idle();
      await durably.cancel(id);
      await idle();
      expect(durably.countRunning()).toBe(0);
      hangs.decode = false;
      expect(await durably.getRun(id)).toMatchObject({ status: 'cancelled' });
    });

    test('is shown as [encrypted] after two seconds, in runs, lists and streams', async ({ world }) => {
      const clock = new FakeClock();
      const { plugin, hangs } = hanging();
      const { durably } = await world.idle({ use: [plugin], clock });
      durably.register({ echo });
      for (const input of ['bad', 'good', 'bad']) await durably.trigger({ jobName: 'echo', input });
      await durably.processUntilIdle();
      hangs.decode = true;
      const listed = durably.getRuns();
      await passing(clock, listed);
      expect((await listed).map(({ output }) => output)).toEqual(['[encrypted]', 'good', '[encrypted]']);
      const [{ id } = { id: '' }] = await listed;
      const read = readAll(durably.subscribe(id));
      expect(await passing(clock, read)).toBe(2_000);
      expect(await read).toMatchObject([
        { type: 'run:trigger' },
        { type: 'run:start', payload: '[encrypted]' },
        { type: 'run:complete', output: '[encrypted]' },
      ]);
      const copied = rejectionOf(durably.retrigger(id));
      await passing(clock, copied);
      expect(await copied).toMatchObject({ code: 'PLUGIN_TIMEOUT' });
    });

    test('makes a webhook wait for its next try: what is told once cannot be corrected', async ({
      world,
    }) => {
      const clock = new FakeClock();
      const { plugin, hangs } = hanging();
      const { received, webhooks } = await receiver();
      const { durably } = await world.idle({ use: [plugin], clock, webhooks: webhooks() });
      durably.register({ echo });
      await durably.trigger({ jobName: 'echo', input: 'bad' });
      durably.on('run:complete', () => {
        hangs.decode = true;
      });
      await passing(clock, durably.processUntilIdle());
      const [delivery] = await durably.getRuns({ jobName: 'durably:webhook' });
      expect(delivery).toMatchObject({ status: 'waiting' });
      hangs.decode = false;
      await (await world.tools()).ageDue(delivery?.id ?? '', 60_000);
      await durably.processUntilIdle();
      expect(received.map(({ body }) => body.data)).toMatchObject([
        { payload: 'bad', output: 'bad', omitted: [] },
      ]);
    });

    test('does not make a caller wait longer than it wants to', async ({ world }) => {
      const clock = new FakeClock();
      const { plugin, hangs } = hanging();
      const { durably } = await world.idle({ use: [plugin], clock });
      const { echo: handle } = durably.register({ echo });
      await handle.trigger('bad', { idempotencyKey: 'k' });
      await durably.processUntilIdle();
      hangs.decode = true;
      const waited = rejectionOf(handle.triggerAndWait('bad', { idempotencyKey: 'k', timeout: 5_000 }));
      // Two seconds for the run that the trigger finds.
      expect(await passing(clock, waited)).toBe(7_000);
      expect((await waited).name).toBe('TimeoutError');
    });
  },
  ({ name }) => name === "the service's own on a file",
);
