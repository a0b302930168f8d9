import { expect } from 'vitest';
import type { DurablyPlugin, PluginTrigger } from '../../../src/index.ts';
import { ConflictError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { rejectionOf, untilStatus } from '../../support/runs.ts';

/** Keeps what it is told of triggers, and stores with each run how many came before. */
function counting() {
  const triggers: PluginTrigger[] = [];
  const seen: (readonly [runId: string, data: unknown])[] = [];
  const plugin: DurablyPlugin<{ n: number }> = {
    name: 'counting',
    onTrigger: async (trigger) => ({ n: triggers.push(trigger) }),
    async aroundRun({ runId, data }, next) {
      seen.push([runId, data]);
      await next();
    },
  };
  return { plugin, triggers, seen };
}

contract('a plugin that hears of triggers', (test) => {
  test('stores data with the run, which only its own hooks get', async ({ world }) => {
    const { plugin, triggers, seen } = counting();
    const others: unknown[] = [];
    const other: DurablyPlugin = {
      name: 'other',
      async aroundRun({ data }, next) {
        others.push(data);
        await next();
      },
    };
    const { durably } = await world.start({ use: [plugin, other] });
    durably.register({ echo });
    const run = await durably.trigger({
      jobName: 'echo',
      input: { a: 1 },
      labels: { team: 'x' },
      concurrencyKey: 'c',
    });
    await untilStatus(durably, run.id, 'completed');
    expect(triggers).toMatchObject([
      {
        kind: 'trigger',
        runId: run.id,
        jobName: 'echo',
        input: { a: 1 },
        labels: { team: 'x' },
        concurrencyKey: 'c',
        idempotencyKey: null,
        parentRunId: null,
        sourceRunId: null,
      },
    ]);
    expect(seen).toEqual([[run.id, { n: 1 }]]);
    expect(others).toEqual([undefined]);
    const [listed] = await durably.getRuns();
    expect(JSON.stringify(listed)).not.toContain('"n":1');
  });

  test('is called for every way in which a run comes to be', async ({ world }) => {
    const { plugin, triggers, seen } = counting();
    const { durably } = await world.start({ use: [plugin], maxConcurrentRuns: 2 });
    const parent = job('parent', async (step) => {
      await step.run('first', () => 1);
      await step.trigger('start', 'echo', 'started');
      return await step.invoke('ask', 'echo', 'asked');
    });
    const { echo: handle } = durably.register({ echo, parent });
    const [batched] = await handle.batchTrigger(['batched']);
    await durably.batchTrigger([{ jobName: 'echo', input: 'any' }]);
    await handle.triggerAndWait('awaited');
    await durably.db.transaction().execute((trx) => handle.trigger('in trx', { trx }));
    const above = await durably.trigger({ jobName: 'parent', input: 0 });
    await untilStatus(durably, above.id, 'completed');
    const again = await durably.retrigger(batched?.id ?? '');
    const forked = await durably.fork(above.id, { from: 'start', input: 1 });
    await untilStatus(durably, forked.id, 'completed');
    await untilStatus(durably, again.id, 'completed');
    await durably.schedule({ id: 's', jobName: 'echo', input: 'later', every: '1h' });
    const told = triggers.map(({ kind, input, parentRunId, sourceRunId }) => [
      kind,
      input,
      parentRunId ?? sourceRunId,
    ]);
    expect(told).toEqual([
      ['trigger', 'batched', null],
      ['trigger', 'any', null],
      ['trigger', 'awaited', null],
      ['trigger', 'in trx', null],
      ['trigger', 0, null],
      ['step', 'started', above.id],
      ['step', 'asked', above.id],
      ['retrigger', 'batched', batched?.id],
      ['fork', 1, above.id],
      ['step', 'started', forked.id],
      ['step', 'asked', forked.id],
      ['schedule', 'later', null],
    ]);
    // Each run has what was stored with it, also after a wait.
    const numbers = new Map(triggers.map(({ runId }, i) => [runId, i + 1]));
    expect(seen.length).toBeGreaterThan(10);
    for (const [runId, data] of seen) expect(data).toEqual({ n: numbers.get(runId) });
  });

  test('refuses a trigger by throwing, and nothing is stored', async ({ world }) => {
    const heard: string[] = [];
    const refusing: DurablyPlugin = {
      name: 'refusing',
      onTrigger({ input }) {
        if (input === 'bad') throw new ConflictError('not today');
      },
    };
    const after: DurablyPlugin = { name: 'after', onTrigger: ({ input }) => void heard.push(String(input)) };
    const { durably } = await world.start({ use: [refusing, after] });
    const parent = job('parent', (step) => step.invoke('ask', 'echo', 'bad'));
    const { echo: handle } = durably.register({ echo, parent });
    expect(await rejectionOf(handle.trigger('bad'))).toMatchObject({
      code: 'CONFLICT',
      message: 'not today',
    });
    expect(await rejectionOf(handle.batchTrigger(['good', 'bad']))).toBeInstanceOf(ConflictError);
    const schedule = { id: 's', jobName: 'echo', input: 'bad', every: '1h' } as const;
    expect(await rejectionOf(durably.schedule(schedule))).toBeInstanceOf(ConflictError);
    expect(await durably.getRuns()).toEqual([]);
    expect(await durably.getSchedules()).toEqual([]);
    const { id } = await durably.trigger({ jobName: 'parent', input: 0 });
    expect(await untilStatus(durably, id, 'failed')).toMatchObject({
      error: 'not today',
      failedStepName: 'ask',
    });
    expect(heard).toEqual(['good', '0']);
  });

  test('may not store what is no JSON, or too much', async ({ world }) => {
    const given: unknown[] = [() => 1, 'x'.repeat(5_000)];
    const plugin: DurablyPlugin = { name: 'greedy', onTrigger: () => given.shift() };
    const { durably } = await world.start({ use: [plugin] });
    const { echo: handle } = durably.register({ echo });
    for (const reason of ['is not JSON', 'at least 5002 bytes']) {
      const refusal = await rejectionOf(handle.trigger(1));
      expect(refusal).toMatchObject({ code: 'PLUGIN' });
      expect(refusal.message).toContain(`Plugin "greedy" returned data that can't be stored`);
      expect(refusal.message).toContain(reason);
    }
    expect(await durably.getRuns()).toEqual([]);
  });

  test('is asked about a trigger that finds a run, whose data stays', async ({ world }) => {
    const { plugin, seen } = counting();
    const { durably } = await world.idle({ use: [plugin] });
    const { echo: handle } = durably.register({ echo });
    const first = await handle.trigger(1, { idempotencyKey: 'k' });
    const second = await handle.trigger(2, { idempotencyKey: 'k' });
    expect(second).toMatchObject({ id: first.id, payload: 1 });
    await durably.processUntilIdle();
    expect(seen).toEqual([[first.id, { n: 1 }]]);
  });
});
