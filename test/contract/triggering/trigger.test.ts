import { expect } from 'vitest';
import { z } from 'zod';
import { type Durably, defineJob, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo } from '../../support/jobs.ts';
import { ISO_MS, recordEvents, rejectionOf, untilStatus } from '../../support/runs.ts';
import { until } from '../../support/until.ts';

const order = defineJob({
  name: 'order',
  input: z.object({
    items: z.array(z.object({ sku: z.string(), count: z.int().positive() })).min(1),
    note: z.string().default('none'),
    due: z.date().optional(),
  }),
  run: (_step, payload) => payload,
});

async function untilCompleted(durably: Durably, count: number): Promise<void> {
  await until(
    async () => (await durably.getRuns({ status: 'completed', limit: 1, offset: count - 1 })).length === 1,
    `${count} runs to be completed`,
  );
}

contract('trigger', (test) => {
  test('returns the stored run', async ({ world }) => {
    const { durably } = await world.idle();
    const run = await durably.register({ echo }).echo.trigger({ a: 1 });
    expect(run).toEqual({
      id: expect.stringMatching(/^run_[0-9A-HJKMNP-TV-Z]{26}$/),
      jobName: 'echo',
      payload: { a: 1 },
      status: 'pending',
      isTerminal: false,
      isActive: true,
      waits: [],
      idempotencyKey: null,
      concurrencyKey: null,
      parentRunId: null,
      scheduleId: null,
      scheduledFor: null,
      labels: {},
      currentStepIndex: 0,
      stepCount: 0,
      progress: null,
      output: null,
      error: null,
      errorDetail: null,
      failedStepName: null,
      attempt: 0,
      heartbeatAt: null,
      createdAt: expect.stringMatching(ISO_MS),
      startedAt: null,
      completedAt: null,
      updatedAt: run.createdAt,
    });
    const { durably: other } = await world.idle();
    expect(await other.getRun(run.id)).toEqual(run);
  });

  test.for([
    { what: 'no key', options: {} },
    { what: 'labels and a concurrency key', options: { labels: { a: 'é"\\' }, concurrencyKey: "it's" } },
    { what: 'an idempotency key', options: { idempotencyKey: '\n"😀' } },
    { what: 'all of them', options: { idempotencyKey: 'i', concurrencyKey: 'c', labels: { a: '1', b: '' } } },
  ])('returns the run as it is stored, with $what', async ({ options }, { world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const input = {
      lone: '\ud800',
      nul: '\0',
      texts: ['"', '\\', '\u2028', '😀'],
      big: 2 ** 60,
      none: null,
    };
    const run = await handle.trigger(input, options);
    expect(run).toMatchObject({ payload: input, ...options });
    expect(await durably.getRun(run.id)).toEqual(run);
    if ('idempotencyKey' in options) expect(await handle.trigger(1, options)).toEqual(run);
  });

  test('takes times from the database, not from this process', async ({ world }) => {
    const clock = new FakeClock(Date.UTC(1999, 0, 1));
    const { durably } = await world.start({ clock });
    const { id } = await durably.register({ echo }).echo.trigger(1);
    const run = await untilStatus(durably, id, 'completed');
    for (const time of [run.createdAt, run.startedAt, run.completedAt, run.updatedAt, run.heartbeatAt]) {
      expect(Date.parse(time ?? '')).toBeGreaterThan(Date.UTC(2020, 0, 1));
    }
  });

  test('stores the parsed input as JSON and passes it to the job', async ({ world }) => {
    const { durably } = await world.start();
    const { order: handle } = durably.register({ order });
    const due = new Date(Date.UTC(2027, 1, 3, 4, 5, 6, 7));
    const input = { items: [{ sku: 'a', count: 2, extra: true }], due };
    const stored = { items: [{ sku: 'a', count: 2 }], note: 'none', due: '2027-02-03T04:05:06.007Z' };
    const run = await handle.trigger(input);
    expect(run.payload).toEqual(stored);
    expect((await untilStatus(durably, run.id, 'completed')).output).toEqual(stored);
  });

  test('parses the input once', async ({ world }) => {
    let parsed = 0;
    let fails = true;
    const counting = defineJob({
      name: 'counting',
      input: z.string().transform((text) => `${text}${++parsed}`),
      run: (_step, payload) => {
        if (fails) throw new Error('not yet');
        return payload;
      },
    });
    const { durably } = await world.start();
    const run = await durably.register({ counting }).counting.trigger('x');
    await untilStatus(durably, run.id, 'failed');
    fails = false;
    await durably.retry(run.id);
    expect((await untilStatus(durably, run.id, 'completed')).output).toBe('x1');
    expect(parsed).toBe(1);
  });

  test('accepts an asynchronous schema', async ({ world }) => {
    const { durably } = await world.idle();
    const slow = defineJob({
      name: 'slow',
      input: z.string().refine(async (text) => text.length > 2, 'too short'),
      run: () => 1,
    });
    const handle = durably.register({ slow }).slow;
    expect((await handle.trigger('abc')).payload).toBe('abc');
    await expect(handle.trigger('a')).rejects.toThrow(/too short/);
  });

  test('refuses an invalid input with its issues, and creates no run', async ({ world }) => {
    const { durably } = await world.idle();
    const { order: handle } = durably.register({ order });
    const events = recordEvents(durably);
    const error = await rejectionOf(handle.trigger({ items: [{ sku: 'a', count: -1 }] }));
    expect(error).toBeInstanceOf(ValidationError);
    expect(error).toMatchObject({ code: 'VALIDATION', issues: [{ path: ['items', 0, 'count'] }] });
    expect(error.message).toMatch(/order.*items\.0\.count/);
    expect(await rejectionOf(handle.trigger(null as never))).toBeInstanceOf(ValidationError);
    expect(await durably.getRuns()).toEqual([]);
    expect(events).toEqual([]);
  });

  test("refuses an input that JSON can't hold", async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    for (const input of [circular, 10n, () => 1, Symbol('s')]) {
      expect(await rejectionOf(handle.trigger(input))).toBeInstanceOf(ValidationError);
    }
    expect(await durably.getRuns()).toEqual([]);
  });

  test.for([null, false, 0, '', [], {}, 'text', 1.5, [null, { a: [] }]])(
    'stores %j unchanged',
    async (input, { world }) => {
      const { durably } = await world.start();
      const handle = durably.register({ echo }).echo;
      const { id, output } = await handle.triggerAndWait(input);
      expect(output).toEqual(input);
      expect((await handle.getRun(id))?.payload).toEqual(input);
    },
  );

  test('reads an undefined input back as null', async ({ world }) => {
    const { durably } = await world.idle();
    expect((await durably.register({ echo }).echo.trigger(undefined)).payload).toBeNull();
  });

  test('creates separate runs from concurrent calls', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const runs = await Promise.all(Array.from({ length: 150 }, (_, i) => handle.trigger(i)));
    expect(new Set(runs.map(({ id }) => id)).size).toBe(150);
    expect(runs.map(({ payload }) => payload)).toEqual(runs.map((_, i) => i));
    const stored = await durably.getRuns({ limit: 1000 });
    expect(stored.map(({ payload }) => payload).reverse()).toEqual(runs.map((_, i) => i));
  });

  test('starts runs without a poll, even if a batch is too large to leave with its claim', async ({
    world,
  }) => {
    const { durably } = await world.start({ clock: new FakeClock(), maxConcurrentRuns: 100 });
    const { echo: handle } = durably.register({ echo });
    await idle();
    await handle.batchTrigger(Array.from({ length: 1_200 }, (_, i) => i));
    await untilCompleted(durably, 1_200);
    await handle.trigger('x'.repeat(1_100_000));
    await untilCompleted(durably, 1_201);
  });
});
