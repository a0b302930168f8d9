import { expect, test } from 'vitest';
import { echo, job } from '../support/jobs.ts';
import { quiet, startRemote } from '../support/remote.ts';
import { deferred, until } from '../support/until.ts';

const CALLERS = 32;
const RUNS_EACH = 2;
const STEPS = 5;

test.each(['http', 'ws'] as const)(
  'over %s, 32 callers and ten runs at once have at most one write and four reads under way',
  async (protocol) => {
    const { open, server } = await startRemote({ latencyMs: () => 2 });
    const durably = open({ protocol, opener: 'openRemote', maxConcurrentRuns: 10 });
    await durably.init();
    const { stepped } = durably.register({
      stepped: job('stepped', async (step) => {
        for (let i = 0; i < STEPS; i++) await step.run(`step ${i}`, () => i);
      }),
    });
    const runs = CALLERS * RUNS_EACH;
    let ended = 0;
    const all = deferred();
    durably.on('run:complete', () => ++ended === runs && all.resolve());
    const call = async () => {
      for (let i = 0; i < RUNS_EACH; i++) {
        const { id } = await stepped.trigger(i);
        await Promise.all([durably.getRun(id), durably.getSteps(id), durably.getRuns({ limit: 5 })]);
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, call));
    await all.promise;
    expect(server.maxWrites).toBe(1);
    expect(server.maxReads).toBeLessThanOrEqual(4);
  },
);

test.each(['http', 'ws'] as const)(
  'over %s, all that is triggered while a write is under way leaves in one more',
  async (protocol) => {
    const { open, server } = await startRemote();
    const durably = open({ protocol, opener: 'openRemote' });
    await durably.migrate();
    const { echo: handle } = durably.register({ echo });
    await handle.trigger(0);
    await quiet(server);
    const before = server.requests;
    const answering = deferred();
    server.gate = () => answering.promise;
    const triggered: Promise<unknown>[] = [];
    for (let i = 1; i <= 5; i++) {
      triggered.push(handle.trigger(i));
      // Each in a turn of its own, so that none leaves together with the first one.
      await until(() => server.requests > before);
      await quiet(server, { underWay: server.underWay });
    }
    expect(server.underWay).toBe(1);
    answering.resolve();
    await Promise.all(triggered);
    expect(server.requests - before).toBe(2);
    expect(server.maxWrites).toBe(1);
  },
);
