import { sql } from 'kysely';
import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob, StepError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { journalTypes, rejectionOf, untilEnded, untilStatus } from '../../support/runs.ts';
import { deferred } from '../../support/until.ts';

const circular: Record<string, unknown> = {};
circular.self = circular;

const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

const NOT_JSON: readonly (readonly [string, () => unknown])[] = [
  ['circular', () => circular],
  ['BigInt', () => 10n],
  ['a BigInt inside', () => ({ deep: [1n] })],
  ['a function', () => () => 1],
  ['a symbol', () => Symbol('s')],
  ['501 levels deep', () => nested(501)],
  ['a hundred thousand levels deep', () => bottomless(100_000)],
  ['a throwing toJSON', () => ({ toJSON: () => raise(new Error('no JSON today')) })],
];

contract('results that JSON cannot hold', (test) => {
  test.for(NOT_JSON)('a step that returns %s fails the run, naming the step', async ([, make], { world }) => {
    const { durably } = await world.start();
    const { bad } = durably.register({ bad: job('bad', (step) => step.run('the culprit', make)) });
    const run = await untilStatus(durably, (await bad.trigger(0)).id, 'failed');
    expect(run.error).toContain('"the culprit"');
    expect(await durably.getSteps(run.id)).toMatchObject([
      { name: 'the culprit', status: 'failed', error: run.error },
    ]);
  });

  test('the job can catch the error, which is a StepError', async ({ world }) => {
    const { durably } = await world.start();
    const { careful } = durably.register({
      careful: job('careful', async (step) => {
        const error = await rejectionOf(step.run('bad', () => 1n));
        return error instanceof StepError && error.code;
      }),
    });
    expect((await careful.triggerAndWait(0)).output).toBe('STEP');
  });

  test.for(NOT_JSON)('an output that is %s fails the run', async ([, make], { world }) => {
    const { durably } = await world.start();
    const { bad } = durably.register({ bad: job('bad', make) });
    const run = await untilStatus(durably, (await bad.trigger(0)).id, 'failed');
    expect(run.error).toMatch(/^Invalid output: ./);
    expect(run.output).toBeNull();
  });

  test('values of 500 levels are stored and read back, in input, step and output', async ({ world }) => {
    const { durably } = await world.start();
    const { deep } = durably.register({
      deep: job('deep', async (step, payload) => {
        step.log.info('deep', payload);
        return await step.run('deep', () => payload);
      }),
    });
    const { id, output } = await deep.triggerAndWait(nested(500));
    expect(JSON.stringify(output)).toBe(JSON.stringify(nested(500)));
    expect(JSON.stringify((await durably.getRun(id))?.payload)).toBe(JSON.stringify(nested(500)));
    expect(JSON.stringify((await durably.getLogs({ runId: id }))[0]?.data)).toBe(JSON.stringify(nested(500)));
  });

  test('an input of 501 levels is refused', async ({ world }) => {
    const { durably } = await world.idle();
    const { deep } = durably.register({ deep: job('deep', () => 1) });
    for (const input of [nested(501), { a: nested(500) }, bottomless(100_000)]) {
      expect(await rejectionOf(deep.trigger(input))).toMatchObject({ code: 'VALIDATION' });
    }
    expect(await durably.getRuns()).toEqual([]);
  });
});

contract('output', (test) => {
  const withOutput = (run: () => unknown) =>
    defineJob({
      name: 'typed',
      input: z.unknown(),
      output: z.object({ total: z.int(), unit: z.string().default('pcs') }),
      run: run as () => { total: number },
    });

  test('is parsed, and stored as parsed', async ({ world }) => {
    const { durably } = await world.start();
    const { typed } = durably.register({ typed: withOutput(() => ({ total: 3, extra: true })) });
    const { id, output } = await typed.triggerAndWait(0);
    expect(output).toEqual({ total: 3, unit: 'pcs' });
    expect((await durably.getRun(id))?.output).toEqual({ total: 3, unit: 'pcs' });
  });

  test('fails the run if it does not match the schema', async ({ world }) => {
    const { durably } = await world.start();
    const { typed } = durably.register({ typed: withOutput(() => ({ total: 'three' })) });
    const run = await untilStatus(durably, (await typed.trigger(0)).id, 'failed');
    expect(run.error).toMatch(/^Invalid output: total: /);
    expect(run.output).toBeNull();
  });

  test('is awaited with an asynchronous schema, and fails the run if the schema throws', async ({
    world,
  }) => {
    const { durably } = await world.start();
    const define = (name: string, output: z.ZodType) =>
      defineJob({ name, input: z.unknown(), output, run: () => 'text' });
    const { slow, broken } = durably.register({
      slow: define(
        'slow',
        z.string().transform(async (text) => text.toUpperCase()),
      ),
      broken: define(
        'broken',
        z.string().transform(() => raise(new Error('the schema broke'))),
      ),
    });
    expect((await slow.triggerAndWait(0)).output).toBe('TEXT');
    const run = await untilStatus(durably, (await broken.trigger(0)).id, 'failed');
    expect(run.error).toContain('the schema broke');
  });

  test('reads back as null if it is undefined', async ({ world }) => {
    const { durably } = await world.start();
    const { nothing } = durably.register({ nothing: job('nothing', () => undefined) });
    const { id, output } = await nothing.triggerAndWait(0);
    expect(output).toBeNull();
    expect(await durably.getRun(id)).toMatchObject({ status: 'completed', output: null });
  });
});

contract("a step's name", (test) => {
  test('throws if it is used again after the step completed', async ({ world }) => {
    const { durably } = await world.start();
    let calls = 0;
    const { again } = durably.register({
      again: job('again', async (step) => {
        await step.run('once', () => ++calls);
        return (await rejectionOf(step.run('once', () => ++calls))).message;
      }),
    });
    expect((await again.triggerAndWait(0)).output).toContain('"once"');
    expect(calls).toBe(1);
  });

  test('throws if it is used again after the step was replayed', async ({ world }) => {
    const { durably } = await world.start();
    let attempt = 0;
    const { again } = durably.register({
      again: job('again', async (step) => {
        attempt++;
        await step.run('once', () => 1);
        if (attempt === 1) throw new Error('again, please');
        await step.run('once', () => 2);
      }),
    });
    const run = await again.trigger(0);
    await untilStatus(durably, run.id, 'failed');
    const ended = untilEnded(durably, run.id);
    await durably.retry(run.id);
    await ended;
    expect(await durably.getRun(run.id)).toMatchObject({
      error: expect.stringContaining('"once"'),
      stepCount: 1,
    });
  });

  test('throws if it is used again while the step runs, which continues undisturbed', async ({ world }) => {
    const { durably } = await world.start();
    const gate = deferred();
    const { twice } = durably.register({
      twice: job('twice', async (step) => {
        const first = step.run('slow', () => gate.promise.then(() => 'first'));
        const error = await rejectionOf(step.run('slow', () => 'second'));
        gate.resolve();
        return [error.message, await first];
      }),
    });
    const { id, output } = await twice.triggerAndWait(0);
    expect(output).toEqual([expect.stringContaining('"slow"'), 'first']);
    expect((await journalTypes(durably, id)).filter((type) => type === 'step:start')).toHaveLength(1);
  });

  test('throws into the job if it is empty or too long, and nothing is stored', async ({ world }) => {
    const { durably } = await world.start();
    const { named } = durably.register({
      named: job('named', async (step) => {
        const refuse = (name: string) => rejectionOf(step.run(name, () => 1));
        const errors = [await refuse(''), await refuse(`import ${'🙂'.repeat(1_000_000)}`)];
        await step.run('🙂'.repeat(512), () => 1);
        return errors.map((error) => [error instanceof StepError, error.message]);
      }),
    });
    const { id, output } = await named.triggerAndWait(0);
    expect(output).toEqual([
      [true, `A step's name must have 1 to 1024 characters, not ""`],
      [
        true,
        `A step's name must have 1 to 1024 characters, not "import ${'🙂'.repeat(28)}…" (2000007 characters)`,
      ],
    ]);
    expect((await durably.getSteps(id)).map(({ name }) => name)).toEqual(['🙂'.repeat(512)]);
  });

  test('can be any text, and must be a text', async ({ world }) => {
    const { durably } = await world.start();
    const names = [
      '__proto__',
      'constructor',
      'with "quotes"',
      '🙂',
      ' ',
      'a'.repeat(1024),
      '7',
      '7.0',
      'line\nbreak',
    ];
    const { named } = durably.register({
      named: job('named', async (step) => {
        for (const name of names) await step.run(name, () => name);
        for (const bad of ['', undefined, 7]) {
          expect(await rejectionOf(step.run(bad as string, () => 1))).toBeInstanceOf(StepError);
        }
        expect((await rejectionOf(step.run('no function', undefined as never))).message).toContain(
          '"no function"',
        );
      }),
    });
    const { id } = await named.triggerAndWait(0);
    expect((await durably.getSteps(id)).map(({ name, output }) => [name, output])).toEqual(
      names.map((name) => [name, name]),
    );
  });
});

function bottomless(depth: number): unknown {
  let value: unknown = null;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

function raise(error: Error): never {
  throw error;
}

contract('a stored result', (test) => {
  test('stays, whatever else is appended under its name', async ({ world }) => {
    const { durably } = await world.start();
    const { task } = durably.register({ task: job('task', (step) => step.run('one', () => 'first')) });
    const run = await untilStatus(durably, (await task.trigger(0)).id, 'completed');
    const before = await durably.getSteps(run.id);
    await sql`
      insert into durably_appends (run_id, job_name, type, created_at, attempt, step_name, step_index, data)
      values (${run.id}, 'task', 'step:complete', 0, 2, 'one', 0, '"second"')
    `.execute(durably.db);
    expect(await durably.getSteps(run.id)).toEqual(before);
    expect(before).toMatchObject([{ name: 'one', output: 'first' }]);
  });
});
