import { expect } from 'vitest';
import type { TriggerRequest } from '../../../src/core/durably.ts';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';

const LATER = '1h';

contract('triggers that are stored together and find runs', (test) => {
  const one = (input: string, options: Omit<TriggerRequest, 'jobName' | 'input'>): TriggerRequest => ({
    jobName: 'one',
    input,
    ...options,
  });

  test('are not coalesced with a trigger that has postponed another run', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ one: job('one', () => 1) });
    const debounce = { key: 'd', delay: LATER } as const;
    const first = await durably.trigger(one('first', { debounce, concurrencyKey: 'a' }));
    const runs = await durably.batchTrigger([
      one('second', { debounce, concurrencyKey: 'b' }),
      one('third', { concurrencyKey: 'b', coalesce: 'skip' }),
    ]);
    expect(runs).toMatchObject([
      { id: first.id, payload: 'second' },
      { payload: 'third', status: 'pending' },
    ]);
    expect(runs.map(({ disposition }) => disposition)).toEqual(['debounced', 'created']);
  });

  test('are not coalesced with a trigger that is debounced with one before it', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ one: job('one', () => 1) });
    const debounce = { key: 'd', delay: LATER } as const;
    const runs = await durably.batchTrigger([
      one('first', { debounce, concurrencyKey: 'a' }),
      one('second', { debounce, concurrencyKey: 'b' }),
      one('third', { concurrencyKey: 'b', coalesce: 'skip' }),
    ]);
    expect(runs).toMatchObject([
      { payload: 'second' },
      { id: runs[0]?.id },
      { payload: 'third', status: 'pending' },
    ]);
    expect(runs.map(({ disposition }) => disposition)).toEqual(['created', 'debounced', 'created']);
  });

  test('are neither coalesced nor debounced with a trigger that has the idempotency key of one before it', async ({
    world,
  }) => {
    const { durably } = await world.idle();
    durably.register({ one: job('one', () => 1) });
    const debounce = { key: 'd', delay: LATER } as const;
    const runs = await durably.batchTrigger([
      one('first', { idempotencyKey: 'i', concurrencyKey: 'a' }),
      one('again', { idempotencyKey: 'i', concurrencyKey: 'b' }),
      one('coalesced', { concurrencyKey: 'b', coalesce: 'skip' }),
      one('again', { idempotencyKey: 'i', debounce }),
      one('debounced', { debounce }),
    ]);
    const [first, again, coalesced, onceMore, debounced] = runs;
    expect([again?.id, onceMore?.id]).toEqual([first?.id, first?.id]);
    expect([first?.payload, coalesced?.payload, debounced?.payload]).toEqual([
      'first',
      'coalesced',
      'debounced',
    ]);
    expect(runs.map(({ disposition }) => disposition)).toEqual([
      'created',
      'idempotent',
      'created',
      'idempotent',
      'created',
    ]);
    expect(await durably.getRuns()).toHaveLength(3);
  });

  test('are all coalesced if they have the same idempotency key, too', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ one: job('one', () => 1) });
    const key = { concurrencyKey: 'a' } as const;
    const runs = await durably.batchTrigger([
      one('plain', key),
      one('coalesced', { ...key, coalesce: 'skip', idempotencyKey: 'i' }),
      one('coalesced', { ...key, coalesce: 'skip', idempotencyKey: 'i' }),
    ]);
    expect(new Set(runs.map(({ id }) => id)).size).toBe(1);
    expect(runs.map(({ disposition }) => disposition)).toEqual(['created', 'coalesced', 'coalesced']);
    expect(await durably.getRuns()).toHaveLength(1);
  });

  test('get the run of their idempotency key before one that is there already', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ one: job('one', () => 1) });
    const key = { concurrencyKey: 'a' } as const;
    await durably.trigger(one('first', key));
    const runs = await durably.batchTrigger([
      one('plain', { ...key, idempotencyKey: 'i' }),
      one('again', { ...key, coalesce: 'skip', idempotencyKey: 'i' }),
    ]);
    expect(runs.map(({ payload, disposition }) => [payload, disposition])).toEqual([
      ['plain', 'created'],
      ['plain', 'idempotent'],
    ]);
  });

  test('are answered with the run that was postponed, and not with an older one of the key', async ({
    world,
  }) => {
    const { durably } = await world.idle();
    durably.register({ one: job('one', () => 1) });
    const debounce = { key: 'd', delay: LATER } as const;
    const over = await durably.trigger(one('over', { idempotencyKey: 'i', debounce }));
    await durably.cancel(over.id);
    const postponed = await durably.trigger(one('postponed', { debounce }));
    const runs = await durably.batchTrigger([
      one('over', { idempotencyKey: 'i', debounce }),
      one('last', { debounce }),
    ]);
    expect(runs.map(({ id, disposition }) => [id, disposition])).toEqual([
      [over.id, 'idempotent'],
      [postponed.id, 'debounced'],
    ]);
  });
});

contract('a run that is postponed by a debounced trigger', (test) => {
  test('does not get the ttl of that trigger', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const run = await one.trigger(1, { debounce: { key: 'd', delay: LATER } });
    await one.trigger(2, { ttl: '10m', debounce: { key: 'd', delay: 1 } });
    const tools = await world.tools();
    await tools.ageDue(run.id, 1_000);
    await tools.ageDeadline(run.id, 10 * 60_000 + 1_000);
    await durably.processUntilIdle();
    expect(await durably.getRun(run.id)).toMatchObject({ status: 'completed', payload: 2 });
  });

  test('keeps the ttl of its first trigger, counted from its new time', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const run = await one.trigger(1, { ttl: '10m', debounce: { key: 'd', delay: LATER } });
    await one.trigger(2, { ttl: '1h', debounce: { key: 'd', delay: 1 } });
    const tools = await world.tools();
    await tools.ageDue(run.id, 1_000);
    await tools.ageDeadline(run.id, 10 * 60_000 + 1_000);
    await durably.processUntilIdle();
    expect(await durably.getRun(run.id)).toMatchObject({
      status: 'failed',
      error: 'not started within 10m',
    });
  });
});

contract('a debounced trigger whose idempotency key has a run', (test) => {
  test('neither changes nor postpones that run, and changes nothing if it is refused', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const options = { idempotencyKey: 'i', debounce: { key: 'd', delay: LATER } } as const;
    const { id } = await one.trigger('first', options);
    const before = await durably.getRun(id);
    for (const key of ['d', 'other']) {
      const again = await one.trigger('again', { ...options, debounce: { key, delay: '2h' } });
      expect([again.id, again.disposition]).toEqual([id, 'idempotent']);
      await expect(
        one.trigger('again', { ...options, debounce: { key, delay: '2h' }, idempotencyKeyReuse: 'refuse' }),
      ).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    }
    expect(await durably.getRuns()).toEqual([before]);
    expect(await one.trigger('last', { debounce: options.debounce })).toMatchObject({ id, payload: 'last' });
  });
});

contract('the key of a debounced trigger', (test) => {
  test('belongs to its scope, so that nobody else changes the run', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const debounce = { key: 'd', delay: LATER } as const;
    const first = await one.trigger('a', { debounce, keyScope: 'a' });
    for (const options of [{ debounce, keyScope: 'b' }, { debounce }]) {
      expect((await one.trigger('other', options)).disposition).toBe('created');
    }
    expect(await durably.getRun(first.id)).toMatchObject({ payload: 'a' });
    expect(await one.trigger('again', { debounce, keyScope: 'a' })).toMatchObject({
      id: first.id,
      payload: 'again',
      disposition: 'debounced',
    });
  });
});
