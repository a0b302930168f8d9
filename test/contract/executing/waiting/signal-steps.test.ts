import { expect } from 'vitest';
import { z } from 'zod';
import { StepError } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { job } from '../../../support/jobs.ts';
import { ageHeartbeat, journalTypes, rejectionOf, untilStatus } from '../../../support/runs.ts';
import { deferred, until } from '../../../support/until.ts';
import { HOUR_MS, PATIENT } from './patient.ts';

contract('a step that waits for a signal', (test) => {
  test('puts its run to wait, and takes the signal that comes', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { asks } = durably.register({
      asks: job('asks', async (step) => {
        await step.run('before', () => 1);
        return await step.waitForSignal('approval');
      }),
    });
    const { id } = await asks.trigger(0);
    const waiting = await untilStatus(durably, id, 'waiting');
    expect(waiting).toMatchObject({
      isActive: true,
      waits: [{ kind: 'signal', stepName: 'approval', signal: 'approval', until: null }],
    });
    expect(await durably.signal(id, 'approval', { ok: true })).toEqual({ disposition: 'accepted' });
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({
      output: { ok: true },
      attempt: 1,
      waits: [],
    });
    expect(await durably.getSteps(id)).toMatchObject([
      { name: 'before', kind: 'run' },
      { name: 'approval', index: 1, kind: 'signal', status: 'completed', output: { ok: true } },
    ]);
    expect(await journalTypes(durably, id)).toEqual([
      'run:trigger',
      'run:start',
      'step:start',
      'step:complete',
      'step:start',
      'run:wait',
      'run:signal',
      'run:resume',
      'step:complete',
      'run:complete',
    ]);
  });

  test('takes a signal that came before its run began', async ({ world }) => {
    const { durably } = await world.idle(PATIENT);
    const { asks } = durably.register({ asks: job('asks', (step) => step.waitForSignal('go')) });
    const { id } = await asks.trigger(0);
    await durably.signal(id, 'go', 'early');
    durably.start();
    expect((await untilStatus(durably, id, 'completed')).output).toBe('early');
  });

  test('takes the same signal again if its worker vanishes before that is stored', async ({ world }) => {
    // Its clock stands still, so it stores nothing by itself.
    const { durably } = await world.idle({ clock: new FakeClock() });
    const seen: unknown[] = [];
    const asks = (after: () => unknown) =>
      job('asks', async (step) => {
        seen.push(await step.waitForSignal('go'));
        await after();
        return await step.waitForSignal('again', { signal: 'go' });
      });
    const handles = durably.register({ asks: asks(() => new Promise(() => undefined)) });
    const { id } = await handles.asks.trigger(0);
    await durably.signal(id, 'go', 'first');
    await durably.signal(id, 'go', 'second');
    durably.start();
    await until(() => seen.length === 1, 'the first execution');
    const other = await world.instance({ pollingInterval: 5 });
    other.durably.register({ asks: asks(() => undefined) });
    await other.durably.init();
    await ageHeartbeat(durably, id, 30_001);
    expect((await untilStatus(durably, id, 'completed')).output).toBe('second');
    expect(seen).toEqual(['first', 'first']);
  });

  test('takes a signal that came while its run executed', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const gate = deferred();
    const { asks } = durably.register({
      asks: job('asks', async (step) => {
        await step.run('works', () => gate.promise);
        return await step.waitForSignal('go');
      }),
    });
    const { id } = await asks.trigger(0);
    await untilStatus(durably, id, 'running');
    await durably.signal(id, 'go', 'meanwhile');
    gate.resolve();
    expect((await untilStatus(durably, id, 'completed')).output).toBe('meanwhile');
  });

  test('takes the signals of a name in the order in which they came, each once', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { collects } = durably.register({
      collects: job('collects', async (step) => {
        const all: unknown[] = [];
        for (let i = 0; i < 4; i++) all.push(await step.waitForSignal(`wait ${i}`, { signal: 'item' }));
        return all;
      }),
    });
    const { id } = await collects.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'other', 'not asked for');
    for (const each of [1, 2, 3]) await durably.signal(id, 'item', each);
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'item', 4);
    expect((await untilStatus(durably, id, 'completed')).output).toEqual([1, 2, 3, 4]);
  });

  test('shares the signals of a name with other waiting steps, one for each', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { pair } = durably.register({
      pair: job('pair', (step) =>
        Promise.all(['a', 'b'].map((name) => step.waitForSignal(name, { signal: 'item' }))),
      ),
    });
    const { id } = await pair.trigger(0);
    expect((await untilStatus(durably, id, 'waiting')).waits).toHaveLength(2);
    await durably.signal(id, 'item', 1);
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'item', 2);
    expect(((await untilStatus(durably, id, 'completed')).output as number[]).sort()).toEqual([1, 2]);
  });

  test('reads null for a signal without payload, and undefined when its time is up', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    const { asks } = durably.register({
      asks: job('asks', async (step) => {
        const first = await step.waitForSignal('first', { timeout: '1h' });
        const second = await step.waitForSignal('second', { timeout: '2h' });
        return [first === null, second === undefined];
      }),
    });
    const { id } = await asks.trigger(0);
    const waiting = await untilStatus(durably, id, 'waiting');
    expect(Date.parse(waiting.waits[0]?.until ?? '')).toBeGreaterThan(Date.now() + HOUR_MS / 2);
    await durably.signal(id, 'first');
    await untilStatus(durably, id, 'waiting');
    await tools.ageDue(id, 2 * HOUR_MS);
    expect((await untilStatus(durably, id, 'completed')).output).toEqual([true, true]);
    expect((await durably.getSteps(id))[1]).toMatchObject({ name: 'second', kind: 'signal', output: null });
  });

  test('keeps a signal that comes after its time for the next wait of that name', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    const { asks } = durably.register({
      asks: job('asks', async (step) => {
        const inTime = await step.waitForSignal('in time', { signal: 'answer', timeout: '1h' });
        return [inTime ?? 'nothing', await step.waitForSignal('late', { signal: 'answer' })];
      }),
    });
    const { id } = await asks.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await tools.ageDue(id, HOUR_MS);
    await until(async () => (await durably.getRun(id))?.waits[0]?.stepName === 'late', 'the second wait');
    await durably.signal(id, 'answer', 7);
    expect((await untilStatus(durably, id, 'completed')).output).toEqual(['nothing', 7]);
  });

  test('parses the payload with its schema, and fails with a payload that the schema refuses', async ({
    world,
  }) => {
    const { durably } = await world.start(PATIENT);
    const schema = z.object({ ok: z.boolean(), at: z.coerce.date() });
    const { asks } = durably.register({
      asks: job('asks', (step) => step.waitForSignal('approval', { schema })),
    });
    const { id } = await asks.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'approval', { ok: 'yes', at: '2026-01-01' });
    const failed = await untilStatus(durably, id, 'failed');
    expect(failed.error).toMatch(/^Invalid signal: ok/);
    expect(failed.failedStepName).toBe('approval');
    await durably.retry(id);
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'approval', { ok: true, at: '2026-01-01' });
    expect((await untilStatus(durably, id, 'completed')).output).toEqual({
      ok: true,
      at: '2026-01-01T00:00:00.000Z',
    });
  });

  test('returns the same signal however often its run is replayed', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    let fails = true;
    const { asks } = durably.register({
      asks: job('asks', async (step) => {
        const answers = [await step.waitForSignal('one'), await step.waitForSignal('two', { timeout: 0 })];
        if (fails) throw new Error('once');
        return answers.map((each) => each ?? 'nothing');
      }),
    });
    const { id } = await asks.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'one', 1);
    await untilStatus(durably, id, 'failed');
    fails = false;
    await durably.retry(id);
    expect((await untilStatus(durably, id, 'completed')).output).toEqual([1, 'nothing']);
  });

  test('waits while a step runs beside it, and its run is put to wait after that', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const gate = deferred();
    const { both } = durably.register({
      both: job('both', (step) =>
        Promise.all([step.waitForSignal('go'), step.run('works', () => gate.promise.then(() => 'done'))]),
      ),
    });
    const { id } = await both.trigger(0);
    await untilStatus(durably, id, 'running');
    await durably.signal(id, 'go', 1);
    expect((await durably.getRun(id))?.status).toBe('running');
    gate.resolve();
    expect((await untilStatus(durably, id, 'completed')).output).toEqual([1, 'done']);
  });

  test.for([
    ['a name of the signal that is empty', { signal: '' }, /signal must have 1 to 1024 characters/],
    ['a timeout that is none', { timeout: 'soon' }, /timeout/],
    ['an unknown option', { timeouts: 1 }, /did you mean "timeout"/],
    ['a schema that is none', { schema: {} }, /schema must be a zod schema/],
  ] as const)('refuses %s', async ([, options, message], { world }) => {
    const { durably } = await world.start(PATIENT);
    const { asks } = durably.register({
      asks: job('asks', async (step) => {
        const wait = step.waitForSignal as (name: string, options: unknown) => Promise<unknown>;
        const error = await rejectionOf(wait('approval', options));
        return [error instanceof StepError, error.message];
      }),
    });
    const { id } = await asks.trigger(0);
    const { output } = await untilStatus(durably, id, 'completed');
    expect(output).toEqual([true, expect.stringMatching(message)]);
  });
});
