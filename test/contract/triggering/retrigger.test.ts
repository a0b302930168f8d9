import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob, NotFoundError, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { echo, job } from '../../support/jobs.ts';
import { journalTypes, recordEvents, rejectionOf, untilStatus } from '../../support/runs.ts';

contract('retrigger', (test) => {
  test('stores a new run like the old one, without its idempotency key', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const labels = { org: '1', kind: 'x' };
    const input = { text: '\ud800 👋', list: [null, 1.5, -0], nested: { a: '' } };
    const first = await handle.trigger(input, { idempotencyKey: 'i', concurrencyKey: 'c', labels });
    const events = recordEvents(durably);
    const again = await durably.retrigger(first.id);
    const { createdAt, updatedAt } = again;
    expect(again).toEqual({ ...first, id: again.id, idempotencyKey: null, createdAt, updatedAt });
    expect(again.id).not.toBe(first.id);
    expect(events).toMatchObject([{ type: 'run:trigger', runId: again.id, jobName: 'echo' }]);
    expect(await journalTypes(durably, again.id)).toEqual(['run:trigger']);
    expect((await durably.getRuns({ labels })).map(({ id }) => id)).toEqual([again.id, first.id]);
    expect(await durably.getRun(first.id)).toEqual(first);
    const bare = await handle.trigger(null);
    expect(await durably.retrigger(bare.id)).toMatchObject({
      payload: null,
      concurrencyKey: null,
      labels: {},
    });
  });

  test('starts from the beginning, however the old run ended', async ({ world }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 5 });
    let isBroken = true;
    let calls = 0;
    const { flaky } = durably.register({
      flaky: job('flaky', async (step) => {
        const n = await step.run('count', () => ++calls);
        if (isBroken) throw new Error('broken');
        return n;
      }),
    });
    const failed = await flaky.trigger('input');
    await untilStatus(durably, failed.id, 'failed');
    isBroken = false;
    const second = await durably.retrigger(failed.id);
    expect(await untilStatus(durably, second.id, 'completed')).toMatchObject({ output: 2, attempt: 1 });
    const third = await durably.retrigger(second.id);
    expect(await untilStatus(durably, third.id, 'completed')).toMatchObject({ output: 3, payload: 'input' });
    expect(await durably.getRun(failed.id)).toMatchObject({ status: 'failed', error: 'broken' });
  });

  test('wakes the worker of its process', async ({ world }) => {
    const { durably } = await world.start({ clock: new FakeClock() });
    const handle = durably.register({ echo }).echo;
    const { id } = await handle.trigger(1);
    await untilStatus(durably, id, 'completed');
    await untilStatus(durably, (await durably.retrigger(id)).id, 'completed');
  });

  test('does not parse the stored input again', async ({ world }) => {
    const { durably } = await world.idle();
    const { length } = durably.register({
      length: defineJob({
        name: 'length',
        input: z.string().transform((text) => text.length),
        run: (_step, payload) => payload,
      }),
    });
    const { id } = await length.trigger('four');
    expect(await durably.retrigger(id)).toMatchObject({ payload: 4 });
  });

  test('refuses an unknown run and an unknown job', async ({ world }) => {
    const { durably } = await world.idle();
    const { durably: other } = await world.idle();
    const { id } = await durably.register({ echo }).echo.trigger(1);
    const unknownRun = await rejectionOf(durably.retrigger('run_none'));
    expect(unknownRun).toBeInstanceOf(NotFoundError);
    expect(unknownRun.message).toBe('Run not found');
    const unknownJob = await rejectionOf(other.retrigger(id));
    expect(unknownJob).toBeInstanceOf(NotFoundError);
    expect(unknownJob.message).toBe('Job not found: echo');
    expect(await rejectionOf(durably.retrigger(7 as never))).toBeInstanceOf(ValidationError);
    expect(await durably.getRuns()).toHaveLength(1);
  });
});
