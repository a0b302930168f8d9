import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { untilStatus } from '../../support/runs.ts';
import { deferred } from '../../support/until.ts';

const KEY = { concurrencyKey: 'k' } as const;

contract('a coalesced trigger', (test) => {
  test('returns a pending or delayed run of its job and key, and says so', async ({ world }) => {
    const { durably } = await world.idle();
    const { one, two } = durably.register({ one: job('one', () => 1), two: job('two', () => 1) });
    const skip = { ...KEY, coalesce: 'skip' } as const;
    const first = await one.trigger('first', skip);
    expect(first.disposition).toBe('created');
    const second = await one.trigger('second', skip);
    expect(second).toMatchObject({ id: first.id, payload: 'first', disposition: 'coalesced' });
    expect(await one.trigger('other key', { ...skip, concurrencyKey: 'other' })).toMatchObject({
      disposition: 'created',
    });
    expect(await two.trigger('other job', skip)).toMatchObject({ disposition: 'created' });
    const later = await one.trigger('later', { concurrencyKey: 'l', delay: '1h' });
    expect(await one.trigger('now', { ...skip, concurrencyKey: 'l' })).toMatchObject({
      id: later.id,
      disposition: 'coalesced',
    });
    expect(await durably.getRuns({ fields: ['id'] })).toHaveLength(4);
  });

  test('returns a running or waiting run only with `active`, and never one that is over', async ({
    world,
  }) => {
    const { durably } = await world.start();
    const gate = deferred();
    const { held } = durably.register({
      held: job('held', async (step, input) => {
        if (input === 'waits') await step.waitForSignal('go');
        else await gate.promise;
      }),
    });
    for (const [input, status] of [
      ['runs', 'running'],
      ['waits', 'waiting'],
    ] as const) {
      const options = { concurrencyKey: input };
      const run = await held.trigger(input, options);
      await untilStatus(durably, run.id, status);
      expect(await held.trigger('again', { ...options, coalesce: 'active' })).toMatchObject({
        id: run.id,
        disposition: 'coalesced',
      });
      const next = await held.trigger(input, { ...options, coalesce: 'skip', delay: '1h' });
      expect(next.disposition).toBe('created');
      await durably.cancel(next.id);
      await durably.cancel(run.id);
      expect(await held.trigger('after', { ...options, coalesce: 'active', delay: '1h' })).toMatchObject({
        disposition: 'created',
      });
    }
    gate.resolve();
  });

  test('stores one run however many callers come at once, in any instance', async ({ world }) => {
    const instances = await Promise.all([1, 2].map(() => world.idle()));
    const handles = instances.map(({ durably }) => durably.register({ one: job('one', () => 1) }).one);
    const options = { ...KEY, coalesce: 'skip' } as const;
    const runs = await Promise.all(Array.from({ length: 20 }, (_, i) => handles[i % 2]?.trigger(i, options)));
    expect(new Set(runs.map((run) => run?.id)).size).toBe(1);
    expect(runs.filter((run) => run?.disposition === 'created')).toHaveLength(1);
  });

  test('of a batch returns the first run of its key in the batch', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const skip = { ...KEY, coalesce: 'skip' } as const;
    const [plain, ...others] = await one.batchTrigger([
      { input: 1, options: KEY },
      { input: 2, options: skip },
      { input: 3, options: { ...skip, concurrencyKey: 'x' } },
      { input: 4, options: { ...skip, concurrencyKey: 'x' } },
    ]);
    expect(others.map(({ id, disposition }) => [id, disposition])).toEqual([
      [plain?.id, 'coalesced'],
      [others[1]?.id, 'created'],
      [others[1]?.id, 'coalesced'],
    ]);
    expect((await durably.getRuns()).map(({ payload }) => payload)).toEqual([3, 1]);
  });

  test('returns the run of its idempotency key first', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const first = await one.trigger(1, { ...KEY, idempotencyKey: 'i' });
    await durably.cancel(first.id);
    const other = await one.trigger(2, KEY);
    const both = { ...KEY, coalesce: 'skip' } as const;
    expect(await one.trigger(3, { ...both, idempotencyKey: 'i' })).toMatchObject({
      id: first.id,
      disposition: 'idempotent',
    });
    expect(await one.trigger(3, { ...both, idempotencyKey: 'j' })).toMatchObject({
      id: other.id,
      disposition: 'coalesced',
    });
  });

  test.for([
    [{ coalesce: 'skip' }, 'coalesce "skip" needs concurrencyKey'],
    [{ ...KEY, coalesce: 'sometimes' }, `coalesce must be 'skip' or 'active', not "sometimes"`],
    [{ debounce: { key: 'k' } }, 'debounce.delay must be a duration'],
    [{ debounce: { key: 'k', delay: 0 } }, 'debounce.delay must be longer than 0, not 0'],
    [{ debounce: { delay: 5 } }, 'debounce.key is required'],
    [{ debounce: { key: 'k', delay: 5, max: 1 } }, 'Unknown member of debounce "max"'],
    [{ debounce: { key: 'k', delay: 5 }, delay: 5 }, 'debounce does not go with delay 5'],
    [
      { ...KEY, coalesce: 'skip', debounce: { key: 'k', delay: 5 } },
      'coalesce "skip" does not go with debounce',
    ],
    [{ idempotencyTtl: '1h' }, 'idempotencyTtl "1h" needs idempotencyKey'],
    [{ idempotencyKey: 'k', idempotencyTtl: 'soon' }, 'idempotencyTtl must be a duration'],
    [
      { idempotencyKey: 'k', idempotencyKeyReuse: 'no' },
      `idempotencyKeyReuse must be 'return' or 'refuse', not "no"`,
    ],
  ] as const)('is refused with bad options: %j', async ([options, message], { world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    await expect(one.trigger(1, options as never)).rejects.toThrow(message);
    expect(await durably.getRuns()).toEqual([]);
  });
});

contract('an idempotency key', (test) => {
  test('counts for its ttl, and then makes another run', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const options = { idempotencyKey: 'k', idempotencyTtl: '1h' } as const;
    const first = await one.trigger(1, options);
    expect(await one.trigger(2, options)).toMatchObject({ id: first.id, disposition: 'idempotent' });
    await (await world.tools()).ageIdempotencyKeys(3_600_001);
    const second = await one.trigger(3, { idempotencyKey: 'k' });
    expect(second).toMatchObject({ disposition: 'created', payload: 3, idempotencyKey: 'k' });
    expect(await one.trigger(4, options)).toMatchObject({ id: second.id, disposition: 'idempotent' });
    expect((await durably.getRun(first.id))?.idempotencyKey).toBe('k');
  });

  test('refuses another input if the trigger says so', async ({ world }) => {
    const { durably } = await world.idle();
    const { one } = durably.register({ one: job('one', () => 1) });
    const refuse = { idempotencyKey: 'k', idempotencyKeyReuse: 'refuse' } as const;
    const first = await one.trigger({ a: 1, b: [2] }, refuse);
    expect(await one.trigger({ b: [2], a: 1 }, refuse)).toMatchObject({ id: first.id });
    await expect(one.trigger({ a: 1, b: [3] }, refuse)).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
    await expect(one.batchTrigger([{ input: 1, options: refuse }])).rejects.toThrow(
      "can't be 'refuse' in a batch",
    );
    expect(await durably.getRuns()).toHaveLength(1);
  });
});

contract('a batch of triggers of any jobs', (test) => {
  test('stores all runs in order, or none, and says which trigger was bad', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ one: job('one', () => 1), two: job('two', () => 1) });
    const runs = await durably.batchTrigger([
      { jobName: 'one', input: 1, idempotencyKey: 'k' },
      { jobName: 'two', input: 2, delay: '1h' },
      { jobName: 'one', input: 3, idempotencyKey: 'k' },
    ]);
    expect(runs.map(({ jobName, status, disposition }) => [jobName, status, disposition])).toEqual([
      ['one', 'pending', 'created'],
      ['two', 'waiting', 'created'],
      ['one', 'pending', 'idempotent'],
    ]);
    await expect(
      durably.batchTrigger([
        { jobName: 'one', input: 1 },
        { jobName: 'one', input: 1, delay: 'x' as never },
      ]),
    ).rejects.toMatchObject({
      message: expect.stringMatching(/^Run 1 of the batch: delay/),
      issues: [{ path: [1, 'delay'] }],
    });
    await expect(durably.batchTrigger([{ jobName: 'three', input: 1 }])).rejects.toThrow('three');
    const many = Array.from({ length: 1001 }, () => ({ jobName: 'one', input: 1 }));
    await expect(durably.batchTrigger(many)).rejects.toThrow('A batch may have 1000 runs, this one has 1001');
    expect(await durably.batchTrigger([])).toEqual([]);
    expect(await durably.getRuns()).toHaveLength(2);
  });
});
