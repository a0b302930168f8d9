import { describe, expect, test } from 'vitest';
import { echo, job } from '../support/jobs.ts';
import { quiet, startRemote } from '../support/remote.ts';
import { nextEvent, startRun, untilEnded } from '../support/runs.ts';
import { deferred } from '../support/until.ts';

const stepped = (steps: number) =>
  job('stepped', async (step) => {
    step.log.info('begins');
    for (let i = 0; i < steps; i++) {
      await step.run(`step ${i}`, () => {
        step.log.info(`within ${i}`, { i });
        step.progress(i, steps);
        return i;
      });
    }
    step.log.warn('ends');
    return steps;
  });

const held = (gate: Promise<void>) => job('held', () => gate);

describe('requests to a remote database, counted by it', () => {
  test.each([0, 1, 5])(
    'a trigger takes one request; a run of %i steps takes one for its claim, each step and its end',
    async (steps) => {
      const { durably, requestsOf } = await (await startRemote()).startStill();
      const { stepped: handle } = durably.register({ stepped: stepped(steps) });
      await durably.stop();
      const keys = { idempotencyKey: 'i', concurrencyKey: 'c' };
      const run = await handle.trigger(0);
      for (const options of [keys, keys, {}])
        expect(await requestsOf(() => handle.trigger(1, options))).toBe(1);
      for (const { id } of await durably.getRuns()) if (id !== run.id) await durably.cancel(id);
      const made = await requestsOf(async () => {
        const ended = nextEvent(durably, 'run:complete');
        durably.start();
        await ended;
      });
      expect(made).toBe(steps + 2);
    },
  );

  test('a batch of a hundred takes one request', async () => {
    const { durably, requestsOf } = await (await startRemote()).startStill();
    await durably.stop();
    const { echo: handle } = durably.register({ echo });
    const inputs = Array.from({ length: 100 }, (_, i) => ({ input: i, options: { idempotencyKey: `${i}` } }));
    expect(await requestsOf(() => handle.batchTrigger(inputs))).toBe(1);
  });

  test.each([1, 50])('heartbeats take one request per interval, with %i runs', async (runs) => {
    const options = { maxConcurrentRuns: 60, heartbeatInterval: 1_000, pollingInterval: 1e6 };
    const { durably, clock, requestsOf } = await (await startRemote()).startStill(options);
    const gate = deferred();
    const { held: handle } = durably.register({ held: held(gate.promise) });
    let started = 0;
    const all = deferred();
    durably.on('run:start', () => ++started === runs && all.resolve());
    await handle.batchTrigger(Array.from({ length: runs }, (_, i) => i));
    await all.promise;
    for (let beat = 0; beat < 3; beat++) expect(await requestsOf(() => clock.advance(1_000))).toBe(1);
    gate.resolve();
  });

  test('an idle poll takes one request, and so does the look of a worker without free slots for what is due', async () => {
    const options = { pollingInterval: 400, heartbeatInterval: 1e5, staleThreshold: 1e6 };
    const { durably, clock, requestsOf } = await (await startRemote()).startStill(options);
    const gate = deferred();
    const { held: handle } = durably.register({ echo, held: held(gate.promise) });
    for (let poll = 0; poll < 3; poll++) expect(await requestsOf(() => clock.advance(400))).toBe(1);
    await startRun(durably, handle, 0);
    for (let poll = 0; poll < 3; poll++) expect(await requestsOf(() => clock.advance(400))).toBe(1);
    gate.resolve();
  });

  test('cancel, retry, delete and reads take one request each', async () => {
    const { durably, requestsOf } = await (await startRemote()).startStill();
    const handles = durably.register({ stepped: stepped(1), echo });
    const ended = nextEvent(durably, 'run:complete');
    const { id: done } = await handles.stepped.trigger(0);
    await ended;
    await durably.stop();
    const { id } = await handles.echo.trigger(0);
    const calls = {
      cancel: () => durably.cancel(id),
      retry: () => durably.retry(id),
      getRun: () => durably.getRun(done),
      getRuns: () => durably.getRuns(),
      getSteps: () => durably.getSteps(done),
      getLogs: () => durably.getLogs({ runId: done }),
      delete: () => durably.deleteRun(done),
    };
    for (const [name, call] of Object.entries(calls)) {
      expect([name, await requestsOf(call)]).toEqual([name, 1]);
    }
  });

  test('init() migrates in a few requests, checks a migrated database in two, and then sends none', async () => {
    const { open, server } = await startRemote({ content: 'empty' });
    // One request for the schema, one for the batch, one to see that reads find it.
    await open().migrate();
    expect(server.requests).toBe(3);
    const durably = open();
    await durably.init();
    await durably.stop();
    expect(server.requests).toBe(5);
    for (let i = 0; i < 3; i++) await durably.migrate();
    expect(server.requests).toBe(5);
  });

  test('a resumed run gets its finished steps with the claim', async () => {
    const { durably, requestsOf } = await (await startRemote()).startStill();
    let isBroken = true;
    const { flaky } = durably.register({
      flaky: job('flaky', async (step) => {
        for (let i = 0; i < 20; i++) await step.run(`step ${i}`, () => i);
        if (isBroken) throw new Error('broken');
      }),
    });
    const failed = nextEvent(durably, 'run:fail');
    const { id } = await flaky.trigger(0);
    await failed;
    isBroken = false;
    const made = await requestsOf(async () => {
      const ended = untilEnded(durably, id);
      await durably.retry(id);
      await ended;
    });
    // The retry, the claim, the end.
    expect(made).toBe(3);
  });

  test('has four reads and one write under way at most', async () => {
    const { startStill, server } = await startRemote();
    const { durably } = await startStill();
    await durably.stop();
    const { echo: handle } = durably.register({ echo });
    await quiet(server);
    const waiting: (() => void)[] = [];
    const hold = () => {
      server.gate = () => new Promise((resolve) => void waiting.push(resolve));
    };
    const letGo = () => {
      server.gate = undefined;
      for (const release of waiting.splice(0)) release();
    };
    hold();
    const reads = Array.from({ length: 12 }, (_, i) => durably.getRuns({ limit: i + 1 }));
    await quiet(server, { underWay: 4 });
    letGo();
    await Promise.all(reads);
    hold();
    const triggers: Promise<unknown>[] = [];
    for (let i = 0; i < 12; i++) {
      triggers.push(handle.trigger(i));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    await quiet(server, { underWay: 1 });
    letGo();
    await Promise.all(triggers);
    expect(await durably.getRuns()).toHaveLength(12);
  });
});
