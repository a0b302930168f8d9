import { sql } from 'kysely';
import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo } from '../../support/jobs.ts';
import { recordEvents, rejectionOf } from '../../support/runs.ts';

contract('batchTrigger', (test) => {
  test('returns the runs in the given order, and stores them in that order', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const inputs = Array.from({ length: 120 }, (_, i) => `input ${i}`);
    const events = recordEvents(durably, ['run:trigger']);
    const runs = await handle.batchTrigger(inputs);
    expect(runs.map(({ payload }) => payload)).toEqual(inputs);
    const newestFirst = await durably.getRuns({ limit: 1000 });
    expect(newestFirst.map(({ id }) => id).reverse()).toEqual(runs.map(({ id }) => id));
    expect(events.map((event) => 'runId' in event && event.runId)).toEqual(runs.map(({ id }) => id));
  });

  test('accepts a mix of plain inputs and inputs with options', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const runs = await handle.batchTrigger([
      'plain',
      { input: 'pair' },
      { input: 'keyed', options: { idempotencyKey: 'i', concurrencyKey: 'c' } },
      { input: 'not a pair', more: 1 },
    ]);
    expect(runs.map(({ payload }) => payload)).toEqual([
      'plain',
      'pair',
      'keyed',
      { input: 'not a pair', more: 1 },
    ]);
    expect(runs[2]).toMatchObject({ idempotencyKey: 'i', concurrencyKey: 'c' });
  });

  test('refuses wrongly typed arguments from JavaScript, and stores nothing', async ({ world }) => {
    const loose = defineJob({
      name: 'loose',
      input: z.object({ x: z.number().optional() }).optional(),
      run: () => 1,
    });
    const { durably } = await world.idle();
    const batchTrigger = durably.register({ loose }).loose.batchTrigger as (
      ...given: unknown[]
    ) => Promise<unknown>;
    const sparse: unknown[] = [{}];
    sparse[2] = {};
    const refusals: [unknown[], RegExp][] = [
      [[[{}, { input: {}, idempotencyKey: 'c' }]], /Element 1 .*"idempotencyKey".*belongs in "options"/],
      [[[{ input: {}, concurrencyKey: 'c' }]], /Element 0 .*"concurrencyKey".*belongs in "options"/],
      [[[{ input: {}, option: { idempotencyKey: 'c' } }]], /"option" .*did you mean "options"/],
      [[[{ input: {}, Options: {} }]], /did you mean "options"/],
      [[[{}], { concurrencyKey: 'c' }], /takes one list/],
      [[sparse], /Element 1 of the batch is missing/],
      [[new Set([{}])], /must be given a list/],
      [[{ length: 1 }], /must be given a list/],
      [['text'], /must be given a list/],
      [[undefined], /must be given a list/],
    ];
    for (const [given, message] of refusals) {
      await expect(batchTrigger(...given)).rejects.toMatchObject({
        code: 'VALIDATION',
        message: expect.stringMatching(message),
      });
    }
    expect(await durably.getRuns()).toEqual([]);
  });

  test('returns an empty list for an empty batch, without a query', async ({ world }) => {
    const { durably, statements } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const before = statements.length;
    expect(await handle.batchTrigger([])).toEqual([]);
    expect(statements.length).toBe(before);
  });

  test('creates no run if one input or key is invalid', async ({ world }) => {
    const texts = defineJob({ name: 'texts', input: z.string(), run: () => 1 });
    const { durably } = await world.idle();
    const handle = durably.register({ texts }).texts;
    const events = recordEvents(durably);
    for (const bad of [7 as never, { input: 'x', options: { concurrencyKey: '' } }]) {
      expect(await rejectionOf(handle.batchTrigger(['a', 'b', bad, 'c']))).toBeInstanceOf(ValidationError);
    }
    expect(await durably.getRuns()).toEqual([]);
    expect(events).toEqual([]);
  });

  test('stores no run of a batch that the database refuses, and does not affect other triggers', async ({
    world,
    skip,
  }) => {
    skip(world.isEncoded, 'the database refuses a payload');
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    await sql`
      create trigger refuse_poison before insert on durably_runs when new.payload = '"poison"'
      begin select raise(abort, 'poisoned'); end
    `.execute(durably.db);
    const [before, poisoned, after] = await Promise.allSettled([
      handle.trigger('before'),
      handle.batchTrigger(['a', 'poison', 'b']),
      handle.trigger('after'),
    ]);
    expect([before.status, poisoned.status, after.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const stored = (await durably.getRuns()).map(({ payload }) => payload).reverse();
    expect(stored).toEqual(['before', 'after']);
  });

  test('stores a thousand runs as one batch', async ({ world }) => {
    const { durably } = await world.idle();
    const runs = await durably
      .register({ echo })
      .echo.batchTrigger(Array.from({ length: 1000 }, (_, i) => i));
    expect(runs).toHaveLength(1000);
    expect(await durably.getRuns({ limit: 1000, offset: 999 })).toMatchObject([{ payload: 0 }]);
  });
});
