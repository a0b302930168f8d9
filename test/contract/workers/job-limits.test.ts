import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { job } from '../../support/jobs.ts';
import { untilLooked, untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';
import { watch } from './keyed-runs.ts';

const tenants = z.object({ tenant: z.string(), n: z.number() });
type Tenants = z.infer<typeof tenants>;

contract('limits of a job', (test) => {
  test('hold over two instances: never more runs at once, in all and for each key', async ({ world }) => {
    const all = watch();
    const byTenant = new Map(['a', 'b', 'c'].map((tenant) => [tenant, watch()]));
    const limited = defineJob({
      name: 'limited',
      input: tenants,
      concurrency: { limit: 4, perKey: 2, key: ({ tenant }) => tenant },
      run: async (_, payload) => {
        await all.during(payload.n, async () =>
          byTenant.get(payload.tenant)?.during(payload.n, () => nextTurn()),
        );
      },
    });
    const instances = await Promise.all(
      [1, 2].map(() => world.instance({ maxConcurrentRuns: 6, pollingInterval: 50 })),
    );
    const [handles] = instances.map(({ durably }) => durably.register({ limited }));
    await instances[0]?.durably.migrate();
    const inputs = Array.from({ length: 36 }, (_, n): Tenants => ({ tenant: 'abc'[n % 3] ?? '', n }));
    await handles?.limited.batchTrigger(inputs);
    await Promise.all(instances.map(({ durably }) => durably.init()));
    await until(() => all.started.length === 36 && all.running.size === 0);
    expect(all.most).toBeLessThanOrEqual(4);
    for (const seen of byTenant.values()) expect(seen.most).toBeLessThanOrEqual(2);
    expect(new Set(all.started).size).toBe(36);
  });

  test('let the next run start as soon as one ends, without a poll', async ({ world }) => {
    const { durably } = await world.start({ clock: new FakeClock(), maxConcurrentRuns: 5 });
    const gates = [deferred(), deferred(), deferred()];
    const started: unknown[] = [];
    const { one } = durably.register({
      one: {
        ...job('one', async (_, input) => {
          started.push(input);
          await gates[Number(input)]?.promise;
        }),
        concurrency: { limit: 1 },
      },
    });
    const runs = await one.batchTrigger([0, 1, 2]);
    await until(() => started.length === 1);
    await idle();
    expect(started).toEqual([0]);
    for (const [i, gate] of gates.entries()) {
      gate.resolve();
      await untilStatus(durably, runs[i]?.id ?? '', 'completed');
    }
    expect(started).toEqual([0, 1, 2]);
  });

  test('count a waiting run only if the job holds its place', async ({ world }) => {
    const instance = await world.start({ maxConcurrentRuns: 5, pollingInterval: 50 });
    const { durably } = instance;
    const started: string[] = [];
    const waits = (name: string, whileWaiting: 'hold' | 'release') => ({
      ...job(name, async (step, input) => {
        started.push(`${name} ${input}`);
        await step.waitForSignal('go');
      }),
      concurrency: { limit: 1, whileWaiting },
    });
    const { holds, releases } = durably.register({
      holds: waits('holds', 'hold'),
      releases: waits('releases', 'release'),
    });
    const held = await holds.batchTrigger([1, 2]);
    const released = await releases.batchTrigger([1, 2]);
    for (const run of [held[0], ...released]) await untilStatus(durably, run?.id ?? '', 'waiting');
    await untilLooked(instance);
    expect((await durably.getRun(held[1]?.id ?? ''))?.status).toBe('pending');
    await durably.signal(held[0]?.id ?? '', 'go');
    await untilStatus(durably, held[0]?.id ?? '', 'completed');
    await untilStatus(durably, held[1]?.id ?? '', 'waiting');
    expect(started.filter((each) => each.startsWith('holds'))).toEqual(['holds 1', 'holds 1', 'holds 2']);
  });

  test('throttle how many runs start, in order, and drop none', async ({ world }) => {
    const instance = await world.start({ maxConcurrentRuns: 10, pollingInterval: 50 });
    const { durably } = instance;
    const starts: unknown[] = [];
    const { slow } = durably.register({
      slow: {
        ...job('slow', (_, input) => void starts.push(input)),
        throttle: { limit: 2, per: '1h', key: (input) => String(Number(input) % 2) },
      },
    });
    await slow.batchTrigger([0, 1, 2, 3, 4, 5, 6, 7]);
    await until(() => starts.length === 4);
    await untilLooked(instance);
    expect(starts.toSorted()).toEqual([0, 1, 2, 3]);
    await (await world.tools()).ageThrottles(30 * 60_000 + 1_000);
    await until(() => starts.length === 6);
    expect(starts.slice(4).toSorted()).toEqual([4, 5]);
    await (await world.tools()).ageThrottles(60 * 60_000);
    await until(() => starts.length === 8);
  });

  test('refuse a trigger if the key function fails, and say why', async ({ world }) => {
    const { durably } = await world.idle();
    const { broken } = durably.register({
      broken: {
        ...job('broken', () => 1),
        concurrency: {
          perKey: 1,
          key: (input: unknown) => {
            if (input === 'throws') throw new Error('no tenant');
            return input as string;
          },
        },
      },
    });
    await expect(broken.trigger('throws')).rejects.toThrow(
      'concurrency.key of job broken has thrown: no tenant',
    );
    await expect(broken.trigger(5)).rejects.toThrow(
      'concurrency.key of job broken must return a string, not 5',
    );
    await expect(broken.trigger('k'.repeat(257))).rejects.toThrow(
      'must return at most 256 characters, not "kkkk',
    );
    expect(await durably.getRuns()).toEqual([]);
  });
});

contract('a paused job', (test) => {
  test('accepts triggers and is not claimed by any instance until it is resumed', async ({ world }) => {
    const instance = await world.start({ pollingInterval: 50 });
    const { durably } = instance;
    const { durably: other } = await world.start({ pollingInterval: 50 });
    const gate = deferred();
    const jobs = { held: job('held', () => gate.promise), free: job('free', () => 1) };
    const { held, free } = durably.register(jobs);
    other.register(jobs);
    const running = await held.trigger(1);
    await untilStatus(durably, running.id, 'running');
    await durably.pauseJob('held');
    const accepted = await held.trigger(2);
    await untilStatus(durably, (await free.trigger(1)).id, 'completed');
    gate.resolve();
    await untilStatus(durably, running.id, 'completed');
    await untilLooked(instance);
    expect((await durably.getRun(accepted.id))?.status).toBe('pending');
    await other.resumeJob('held');
    await untilStatus(durably, accepted.id, 'completed');
    await expect(durably.pauseJob('hold')).rejects.toThrow('hold');
  });
});
