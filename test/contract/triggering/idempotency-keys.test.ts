import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { journalTypes, recordEvents, rejectionOf, untilStatus } from '../../support/runs.ts';

contract('idempotency keys', (test) => {
  test('return the first run at a second trigger, without an event', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const events = recordEvents(durably, ['run:trigger']);
    const first = await handle.trigger('first', { idempotencyKey: 'key' });
    const second = await handle.trigger('second', { idempotencyKey: 'key', concurrencyKey: 'other' });
    expect(second).toEqual(first);
    expect(first.idempotencyKey).toBe('key');
    expect(events).toHaveLength(1);
    expect(await journalTypes(durably, first.id)).toEqual(['run:trigger']);
    expect(await durably.getRuns()).toHaveLength(1);
  });

  test('are separate for each job, also in a batch', async ({ world }) => {
    const { durably } = await world.idle();
    const handles = durably.register({ one: job('one', () => 1), two: job('two', () => 2) });
    const triggerBoth = () =>
      Promise.all([
        handles.one.trigger('x', { idempotencyKey: 'key' }),
        handles.two.trigger('x', { idempotencyKey: 'key' }),
      ]);
    const first = await triggerBoth();
    expect(first.map(({ jobName }) => jobName)).toEqual(['one', 'two']);
    expect(await triggerBoth()).toEqual(first);
    expect(await durably.getRuns()).toHaveLength(2);
  });

  test('are looked up after the input has been validated', async ({ world }) => {
    const strict = defineJob({ name: 'strict', input: z.string(), run: () => 1 });
    const { durably } = await world.idle();
    const handle = durably.register({ strict }).strict;
    await handle.trigger('fine', { idempotencyKey: 'key' });
    expect(await rejectionOf(handle.trigger(7 as never, { idempotencyKey: 'key' }))).toBeInstanceOf(
      ValidationError,
    );
  });

  test('return the existing run whatever its status', async ({ world }) => {
    const { durably } = await world.start();
    let outcome: 'complete' | 'fail' | 'hang' = 'complete';
    const { any } = durably.register({
      any: job('any', () => {
        if (outcome === 'fail') throw new Error('failed');
        return outcome === 'hang' ? new Promise(() => undefined) : 'done';
      }),
    });
    for (const [behaviour, status] of [
      ['complete', 'completed'],
      ['fail', 'failed'],
      ['hang', 'running'],
    ] as const) {
      outcome = behaviour;
      const { id } = await any.trigger(1, { idempotencyKey: status });
      const run = await untilStatus(durably, id, status);
      expect(await any.trigger(2, { idempotencyKey: status })).toEqual(run);
      if (status === 'running') await durably.cancel(id);
    }
    expect((await any.trigger(3, { idempotencyKey: 'running' })).status).toBe('cancelled');
    expect(await durably.getRuns()).toHaveLength(3);
  });

  test('create one run from concurrent triggers, also of several instances', async ({ world }) => {
    const instances = await Promise.all([1, 2, 3].map(() => world.idle()));
    const handles = instances.map(({ durably }) => durably.register({ echo }).echo);
    const heard = instances.map(({ durably }) => recordEvents(durably, ['run:trigger']));
    const runs = await Promise.all(
      Array.from({ length: 30 }, (_, i) => handles[i % 3]?.trigger(i, { idempotencyKey: 'key' })),
    );
    expect(new Set(runs.map((run) => run?.id)).size).toBe(1);
    expect(heard.flat()).toHaveLength(1);
    expect(await journalTypes(instances[0]?.durably ?? raise(), runs[0]?.id ?? '')).toEqual(['run:trigger']);
  });

  test('are unique within their job only', async ({ world }) => {
    const { durably } = await world.idle();
    const { echo: one, other } = durably.register({ echo, other: job('other', () => 1) });
    const runs = [
      await one.trigger(1, { idempotencyKey: 'key' }),
      await other.trigger(1, { idempotencyKey: 'key' }),
    ];
    expect(new Set(runs.map(({ id }) => id)).size).toBe(2);
  });

  test('never match runs without a key', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const [a, b] = await handle.batchTrigger([1, 1]);
    expect(a?.id).not.toBe(b?.id);
  });

  test('return one run twice if a batch contains the same key twice', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const events = recordEvents(durably, ['run:trigger']);
    const options = { idempotencyKey: 'key' };
    const runs = await handle.batchTrigger([
      { input: 'a', options },
      { input: 'plain' },
      { input: 'b', options },
    ]);
    expect(runs.map(({ payload }) => payload)).toEqual(['a', 'plain', 'a']);
    expect(runs[2]).toEqual(runs[0]);
    expect(events).toHaveLength(2);
    const again = await handle.batchTrigger([{ input: 'c', options }, 'new']);
    expect(again[0]).toEqual(runs[0]);
    expect(again[1]?.payload).toBe('new');
    expect(events).toHaveLength(3);
  });

  test('become free when the run is deleted', async ({ world }) => {
    const { durably } = await world.start();
    const handle = durably.register({ echo }).echo;
    const first = await handle.trigger(1, { idempotencyKey: 'key' });
    await untilStatus(durably, first.id, 'completed');
    await durably.deleteRun(first.id);
    const second = await handle.trigger(2, { idempotencyKey: 'key' });
    expect(second.id).not.toBe(first.id);
    expect((await untilStatus(durably, second.id, 'completed')).output).toBe(2);
  });

  test('differ by case, accents and trailing spaces', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const keys = ['key', 'KEY', 'key ', 'kéy', 'ke\u0301y', '7', '7.0', '{"a":1}', '🙂'];
    const runs = await handle.batchTrigger(
      keys.map((idempotencyKey) => ({ input: 1, options: { idempotencyKey } })),
    );
    expect(new Set(runs.map(({ id }) => id)).size).toBe(keys.length);
    expect(runs.map(({ idempotencyKey }) => idempotencyKey)).toEqual(keys);
  });
});

function raise(): never {
  throw new Error('not there');
}
