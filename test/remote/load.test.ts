import { expect, test } from 'vitest';
import { job } from '../support/jobs.ts';
import { startRemote } from '../support/remote.ts';
import { deferred } from '../support/until.ts';

const CALLERS = 32;
const RUNS_EACH = 2;
const STEPS = 5;

test.each(['http', 'ws'] as const)(
  'over %s, 32 callers and ten runs at once have at most one write and four reads under way',
  async (protocol) => {
    const { open, server } = await startRemote({ latencyMs: () => 2 });
    const durably = open({ protocol, maxConcurrentRuns: 10 });
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
