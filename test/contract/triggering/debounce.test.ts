import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { job } from '../../support/jobs.ts';
import { recordEvents, untilStatus } from '../../support/runs.ts';

contract('a debounced trigger', (test) => {
  const debounce = { key: 'k', delay: '1h' } as const;

  test('postpones the run of its key, and gives it its input and labels', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const events = recordEvents(durably, ['run:trigger', 'run:reschedule']);
    const first = await one.trigger('first', { debounce, labels: { n: '1' } });
    expect(first).toMatchObject({ status: 'waiting', disposition: 'created' });
    await (await world.tools()).ageDue(first.id, 30 * 60_000);
    const aged = await durably.getRun(first.id);
    const second = await one.trigger('second', { debounce, labels: { n: '2' } });
    expect(second).toMatchObject({
      id: first.id,
      payload: 'second',
      disposition: 'debounced',
      labels: { n: '2' },
    });
    expect(Date.parse(second.waits[0]?.until ?? '')).toBeGreaterThan(Date.parse(aged?.waits[0]?.until ?? ''));
    expect(await durably.getRuns({ labels: { n: '2' } })).toHaveLength(1);
    expect(await durably.getRuns({ labels: { n: '1' } })).toHaveLength(0);
    expect(events.map(({ type }) => type)).toEqual(['run:trigger', 'run:reschedule']);
    const other = await one.trigger('other', { debounce: { ...debounce, key: 'other' } });
    expect(other.disposition).toBe('created');
  });

  test('postpones it at most until `maxDelay` after the first one', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const first = await one.trigger(1, { debounce: { ...debounce, maxDelay: '90m' } });
    await (await world.tools()).ageCreation(first.id, 60 * 60_000);
    const again = await one.trigger(2, { debounce: { ...debounce, maxDelay: '90m' } });
    expect(again.id).toBe(first.id);
    expect(Date.parse(again.waits[0]?.until ?? '') - Date.parse(again.createdAt)).toBe(90 * 60_000);
  });

  test('starts the run once it is due, and a later trigger makes another one', async ({ world }) => {
    const { durably } = await world.start({ clock: new FakeClock(), pollingInterval: 1_000 });
    const inputs: unknown[] = [];
    const { one } = durably.register({ one: job('one', (_, input) => void inputs.push(input)) });
    const run = await one.trigger('a', { debounce: { key: 'k', delay: '1h' } });
    await one.trigger('b', { debounce: { key: 'k', delay: 1 } });
    await (await world.tools()).ageDue(run.id, 1_000);
    await durably.processOne();
    await untilStatus(durably, run.id, 'completed');
    expect(inputs).toEqual(['b']);
    expect(await one.trigger('c', { debounce })).toMatchObject({ disposition: 'created', payload: 'c' });
  });

  test('changes nothing if its idempotency key has a run already', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const keyed = { debounce, idempotencyKey: 'i', idempotencyKeyReuse: 'refuse' } as const;
    const first = await one.trigger('first', keyed);
    await expect(one.trigger('second', keyed)).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    expect(await one.trigger('first', keyed)).toMatchObject({ id: first.id, disposition: 'idempotent' });
    expect(await durably.getRun(first.id)).toEqual(first);
  });

  test('leaves an idempotency key with the input with which it came', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const keyed = { debounce, idempotencyKey: 'i', idempotencyKeyReuse: 'refuse' } as const;
    const first = await one.trigger('first', keyed);
    for (const input of ['second', 'third']) await one.trigger(input, { debounce });
    const again = await one.trigger('first', keyed);
    expect(again).toMatchObject({ id: first.id, disposition: 'idempotent', payload: 'third' });
    const refused = { code: 'IDEMPOTENCY_KEY_REUSED' };
    await expect(one.trigger('third', keyed)).rejects.toMatchObject(refused);
    await durably.db.transaction().execute(async (trx) => {
      expect((await one.trigger('first', { ...keyed, trx })).id).toBe(first.id);
      await expect(one.trigger('third', { ...keyed, trx })).rejects.toMatchObject(refused);
    });
  });

  test('leaves the key its input if both triggers leave together', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const keyed = { debounce, idempotencyKey: 'i', idempotencyKeyReuse: 'refuse' } as const;
    const [first] = await Promise.all([one.trigger('first', keyed), one.trigger('second', { debounce })]);
    expect(await one.trigger('first', keyed)).toMatchObject({ id: first?.id, payload: 'second' });
  });

  test('of one scope does not find the run of another one', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const a = await one.trigger('a', { debounce, keyScope: 'a' });
    expect((await one.trigger('b', { debounce, keyScope: 'b' })).id).not.toBe(a.id);
    expect(await one.trigger('c', { debounce, keyScope: 'a' })).toMatchObject({
      id: a.id,
      disposition: 'debounced',
    });
  });

  test('keeps the ttl of the run', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 20 });
    const { one } = durably.register({ one: job('one', () => 1) });
    const run = await one.trigger(1, { debounce, ttl: '1h' });
    await one.trigger(2, { debounce: { ...debounce, delay: '2h' } });
    await (await world.tools()).ageDeadline(run.id, 3 * 3_600_000);
    await untilStatus(durably, run.id, 'failed');
    expect((await durably.getRun(run.id))?.error).toBe('not started within 1h');
  });

  test('stores one run for many callers at once, with the input of one of them', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const runs = await Promise.all(Array.from({ length: 10 }, (_, i) => one.trigger(i, { debounce })));
    expect(new Set(runs.map(({ id }) => id)).size).toBe(1);
    expect(await durably.getRuns()).toMatchObject([{ payload: 9 }]);
  });
});
