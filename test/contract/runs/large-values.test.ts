import { expect } from 'vitest';
import { ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { readAll, recordEvents, rejectionOf, untilEnded, untilStatus } from '../../support/runs.ts';

const KB = 1024;
const MB = 1024 * KB;

/** A text of this many bytes as JSON, with characters that need an escape inside other JSON. */
const quotes = (bytes: number) => '"'.repeat((bytes - 2) / 2);

contract('lists of large values', (test) => {
  test('return all values in order, whatever their sizes', async ({ world }) => {
    const { durably } = await world.idle();
    const { echo: handle } = durably.register({ echo });
    const sizes = [10, 900 * KB, 20, 30 * KB, 600 * KB, 600 * KB, 40, 9 * KB];
    for (const [i, size] of sizes.entries()) await handle.trigger({ i, text: quotes(size) });
    const runs = await durably.getRuns();
    expect(runs.map(({ payload }) => (payload as { i: number }).i)).toEqual(sizes.map((_, i) => i).reverse());
    expect(runs.map(({ payload }) => (payload as { text: string }).text)).toEqual(
      sizes.map(quotes).reverse(),
    );
  });

  test('read a page of small runs with one statement', async ({ world }) => {
    const { durably, statements } = await world.idle();
    const { echo: handle } = durably.register({ echo });
    await handle.batchTrigger(Array.from({ length: 100 }, (_, i) => quotes(2 * i + 2)));
    const before = statements.length;
    expect(await durably.getRuns()).toHaveLength(100);
    expect(statements.length - before).toBe(1);
  });

  test('read large values in portions of a megabyte', async ({ world, skip }) => {
    skip(world.isEncoded, 'counts bytes');
    const { durably, statements } = await world.idle();
    const { echo: handle } = durably.register({ echo });
    for (let i = 0; i < 6; i++) await handle.trigger(quotes(400 * KB));
    const before = statements.length;
    expect(await durably.getRuns()).toHaveLength(6);
    // One read for the page, then two runs at a time.
    expect(statements.length - before).toBe(1 + 3);
  });

  test('leave out a run that is deleted between the read of its page and of its values', async ({
    world,
  }) => {
    const { durably } = await world.idle();
    const { echo: handle } = durably.register({ echo });
    const [first, second] = [await handle.trigger(quotes(800 * KB)), await handle.trigger(quotes(900 * KB))];
    const { pieces } = await durably.asJson.runs();
    const reading = pieces[Symbol.asyncIterator]();
    let text = (await reading.next()).value ?? '';
    await durably.cancel(first.id);
    await durably.deleteRun(first.id);
    for (let next = await reading.next(); !next.done; next = await reading.next()) text += next.value;
    expect(JSON.parse(text)).toMatchObject([{ id: second.id }]);
  });

  test('return steps, log lines and events complete and in order', async ({ world }) => {
    const sizes = [9 * KB, 700 * KB, 10, 700 * KB, 20 * KB, 1 * MB];
    const { durably } = await world.start();
    const { large } = durably.register({
      large: job('large', async (step) => {
        for (const [i, size] of sizes.entries()) {
          await step.run(`step ${i}`, () => {
            step.log.info(`line ${i}`, quotes(size));
            return quotes(size);
          });
        }
      }),
    });
    const { id } = await large.trigger(0);
    await untilStatus(durably, id, 'completed');
    const texts = sizes.map(quotes);
    expect((await durably.getSteps(id)).map(({ output }) => output)).toEqual(texts);
    expect((await durably.getLogs({ runId: id })).map(({ data }) => data)).toEqual(texts);
    const events = await readAll(durably.subscribe(id));
    expect(events.flatMap((event) => (event.type === 'step:complete' ? [event.output] : []))).toEqual(texts);
    expect(events.flatMap((event) => (event.type === 'log:write' ? [event.data] : []))).toEqual(texts);
    expect(events.map(({ sequence }) => sequence)).toEqual(
      events.map(({ sequence }) => sequence).sort((one, other) => one - other),
    );
  });
});

contract('lists of long texts', (test) => {
  test('are complete and in order, even if a page takes more than a portion', async ({ world }) => {
    const ROWS = 70;
    const { durably } = await world.start({ maxConcurrentRuns: 10 });
    const texts = Array.from({ length: ROWS }, (_, i) => `${i} ${'t'.repeat(16_000)}`);
    const { wordy, flawed } = durably.register({
      wordy: job('wordy', async (step) => {
        const steps = texts.map((message, i) => {
          step.log.info(message, 'd'.repeat(8_000));
          return step.run(`step ${i}`, () => Promise.reject(new Error(message)));
        });
        await Promise.allSettled(steps);
      }),
      flawed: job('flawed', (step, i) => {
        step.progress(1, 2, texts[i as number]);
        throw new Error(texts[i as number]);
      }),
    });
    const { id: runId } = await wordy.trigger(0);
    await untilStatus(durably, runId, 'completed');
    const logs = await durably.getLogs({ runId });
    expect(logs.map(({ message }) => message)).toEqual(texts);
    expect(logs.every(({ data }) => data === 'd'.repeat(8_000))).toBe(true);
    const steps = await durably.getSteps(runId);
    expect(steps.map(({ name, index, error }) => [name, index, error])).toEqual(
      texts.map((error, i) => [`step ${i}`, i, error]),
    );
    expect(steps.every(({ errorDetail }) => errorDetail?.name === 'Error')).toBe(true);
    const events = await readAll(durably.subscribe(runId));
    expect(events.flatMap((event) => (event.type === 'log:write' ? [event.message] : []))).toEqual(texts);
    expect(events.flatMap((event) => (event.type === 'step:fail' ? [event.error] : []))).toEqual(texts);

    const runs = await flawed.batchTrigger(Array.from({ length: ROWS }, (_, i) => i));
    await Promise.all(runs.map(({ id }) => untilStatus(durably, id, 'failed')));
    const listed = await durably.getRuns({ jobName: 'flawed' });
    const newestFirst = listed.map(({ error, progress }) => [error, progress?.message]);
    expect(newestFirst).toEqual(texts.map((error) => [error, error]).reverse());
  });
});

contract('fields', (test) => {
  test('limit a list to the requested fields, and others are not read', async ({ world }) => {
    const { durably, statements } = await world.idle();
    const { echo: handle } = durably.register({ echo });
    const { id } = await handle.trigger(quotes(2 * MB));
    const before = statements.length;
    expect(await durably.getRuns({ fields: ['status', 'id', 'status'] })).toEqual([
      { id, status: 'pending' },
    ]);
    expect(statements.length - before).toBe(1);
    expect(statements.at(-1)?.sql).not.toMatch(/payload|output/);
    expect(await durably.getRuns({ fields: ['payload', 'output'] })).toEqual([
      { payload: quotes(2 * MB), output: null },
    ]);
  });

  test.for([[], ['nothing'], ['id', 'seq']])('refuse %j', async (fields, { world }) => {
    const { durably } = await world.idle();
    const error = await rejectionOf(durably.getRuns({ fields: fields as never }));
    expect(error).toBeInstanceOf(ValidationError);
  });
});

contract('large values on their way', (test) => {
  test('are stored as one batch of twelve inputs of a megabyte, in order', async ({ world }) => {
    const { durably } = await world.idle();
    const { echo: handle } = durably.register({ echo });
    const existing = await handle.trigger(quotes(1 * MB), { idempotencyKey: 'kept' });
    const inputs = Array.from({ length: 12 }, (_, i) => ({ input: { i, text: quotes(1 * MB) } }));
    const events = recordEvents(durably, ['run:trigger']);
    const again = { input: 'unused', options: { idempotencyKey: 'kept' } };
    const runs = await handle.batchTrigger([...inputs, again]);
    expect(runs.slice(0, 12).map(({ payload }) => (payload as { i: number }).i)).toEqual(
      inputs.map((_, i) => i),
    );
    expect(runs[12]).toEqual(existing);
    expect(events).toHaveLength(12);
    const listed = await durably.getRuns({ fields: ['id'] });
    expect(listed.map(({ id }) => id).reverse()).toEqual([
      existing.id,
      ...runs.slice(0, 12).map(({ id }) => id),
    ]);
  });

  test('are claimed a few at a time as inputs of pending runs, and all of them run', async ({ world }) => {
    const { durably } = await world.instance({ maxConcurrentRuns: 6, pollingInterval: 60_000 });
    await durably.migrate();
    const { task } = durably.register({
      task: job('task', (_step, text) => (text as string).length),
    });
    const runs = await Promise.all(Array.from({ length: 6 }, () => task.trigger('x'.repeat(1.9 * MB))));
    const ended = runs.map(({ id }) => untilEnded(durably, id));
    durably.start();
    await Promise.all(ended);
    const outputs = await durably.getRuns({ fields: ['output'] });
    expect(outputs).toEqual(runs.map(() => ({ output: Math.floor(1.9 * MB) })));
  });

  test('are read in portions as the results of a resumed run', async ({ world, skip }) => {
    skip(world.isEncoded, 'counts bytes');
    const RESULTS = 12;
    let isFirst = true;
    const { durably, statements } = await world.start({ pollingInterval: 60_000 });
    const { task } = durably.register({
      task: job('task', async (step) => {
        const results: string[] = [];
        for (let i = 0; i < RESULTS; i++) {
          results.push(await step.run(`step ${i}`, () => `${i} ${'x'.repeat(400 * KB)}`));
        }
        if (isFirst) throw new Error('once');
        return results.map((result) => Number.parseInt(result, 10));
      }),
    });
    const { id } = await task.trigger(0);
    await untilStatus(durably, id, 'failed');
    isFirst = false;
    const before = statements.length;
    const ended = untilEnded(durably, id);
    await durably.retry(id);
    await ended;
    const reads = statements
      .slice(before)
      .filter(({ sql }) => sql.includes('from durably_steps') || sql.includes('durably_steps s'));
    // The names with the first two results, then two or three results at a time.
    expect(reads.length).toBeGreaterThan(4);
    expect(reads.length).toBeLessThanOrEqual(1 + RESULTS / 2);
    expect((await durably.getRun(id))?.output).toEqual(Array.from({ length: RESULTS }, (_, i) => i));
  });

  test('are replayed in any order and in parallel, and undefined stays undefined', async ({ world }) => {
    let isFirst = true;
    const { durably } = await world.start();
    const names = Array.from({ length: 8 }, (_, i) => `step ${i}`);
    const { task } = durably.register({
      task: job('task', async (step) => {
        const order = isFirst ? names : [...names].reverse();
        const results = await Promise.all(
          order.map((name) =>
            step.run(name, () => (name === 'step 3' ? undefined : `${name} ${'x'.repeat(700 * KB)}`)),
          ),
        );
        if (isFirst) throw new Error('once');
        return results.map((result) => result?.slice(0, 6) ?? 'undefined');
      }),
    });
    const { id } = await task.trigger(0);
    await untilStatus(durably, id, 'failed');
    isFirst = false;
    await durably.retry(id);
    const { output } = await untilStatus(durably, id, 'completed');
    expect(output).toEqual(names.map((name) => (name === 'step 3' ? 'undefined' : name)).reverse());
  });
});
