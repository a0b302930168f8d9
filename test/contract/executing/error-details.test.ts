import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob, RunEndedError, type StepContext, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { nextEvent, readAll, rejectionOf, untilStatus } from '../../support/runs.ts';
import type { InstanceOptions, World } from '../../support/world.ts';

class PaymentError extends Error {
  override readonly name = 'PaymentError';
  readonly code = 'E_PAYMENT';
}

const refuse = (): never => {
  throw new PaymentError('refused', { cause: new TypeError('card expired') });
};

/** A failed run of a job with this body. */
async function failed(world: World, run: (step: StepContext) => unknown, options?: InstanceOptions) {
  const { durably } = await world.start(options);
  const { task } = durably.register({ task: job('task', run) });
  const event = nextEvent(durably, 'run:fail');
  const { id } = await task.trigger(0);
  return { durably, task, event: await event, run: await untilStatus(durably, id, 'failed') };
}

const detail = {
  name: 'PaymentError',
  message: 'refused',
  stack: expect.stringMatching(/^PaymentError: refused\n +at .*refuse /),
  code: 'E_PAYMENT',
  cause: { name: 'TypeError', message: 'card expired', stack: expect.stringMatching(/ at .*refuse /) },
};

contract("a failure's detail", (test) => {
  test('is stored with the run and its step, and included in their events', async ({ world }) => {
    const { durably, run, event } = await failed(world, (step) => step.run('pay', refuse));
    const errorDetail = { ...detail, stepName: 'pay' };
    expect(run).toMatchObject({ error: 'refused', failedStepName: 'pay', output: null });
    expect(run.errorDetail).toEqual(errorDetail);
    expect(event).toMatchObject({ error: 'refused', failedStepName: 'pay', errorDetail });
    expect(await durably.getRuns()).toEqual([run]);
    expect(await durably.getSteps(run.id)).toMatchObject([
      { name: 'pay', status: 'failed', error: 'refused', output: null, errorDetail },
    ]);
    const told = (await readAll(durably.subscribe(run.id))).filter(({ type }) => type.endsWith(':fail'));
    expect(told).toMatchObject([
      { type: 'step:fail', error: 'refused', errorDetail },
      { type: 'run:fail', error: 'refused', errorDetail, failedStepName: 'pay' },
    ]);
  });

  test('names no step if the error was thrown outside the steps', async ({ world }) => {
    const { run } = await failed(world, refuse);
    expect(run.errorDetail).toEqual(detail);
    expect(run.failedStepName).toBe('unknown');
  });

  test("is cleared by a retry, together with the step's name", async ({ world }) => {
    let tries = 0;
    const { durably, run } = await failed(world, (step) =>
      step.run('pay', () => (++tries > 1 ? 'paid' : refuse())),
    );
    await durably.stop();
    await durably.retry(run.id);
    const none = { error: null, errorDetail: null, failedStepName: null };
    expect(await durably.getRun(run.id)).toMatchObject({ status: 'pending', ...none });
    durably.start();
    expect(await untilStatus(durably, run.id, 'completed')).toMatchObject({ output: 'paid', ...none });
    expect(await durably.getSteps(run.id)).toMatchObject([
      { status: 'completed', output: 'paid', ...{ error: null, errorDetail: null } },
    ]);
  });

  test('contains no stacks with errorDetail: "message"', async ({ world }) => {
    const { durably, run } = await failed(
      world,
      (step) => {
        step.log.error('about to fail', new Error('logged'));
        return step.run('pay', refuse);
      },
      { errorDetail: 'message' },
    );
    expect(run.errorDetail).toEqual({
      name: 'PaymentError',
      message: 'refused',
      code: 'E_PAYMENT',
      cause: { name: 'TypeError', message: 'card expired' },
      stepName: 'pay',
    });
    const rows = await durably.db.selectFrom('durably_journal').selectAll().execute();
    expect(JSON.stringify(rows)).not.toMatch(/ at |stack/);
  });

  test('contains no stack of a thrown non-error with errorDetail: "message"', async ({ world, skip }) => {
    skip(world.isEncoded, 'looks at stored rows');
    const serialized = { name: 'Ser', stack: 'Error: at /secretpath/file.js:1', code: 3 };
    const odd = Object.assign(new Error(), { message: { inner: serialized } });
    for (const thrown of [serialized, odd, new Error('outer', { cause: serialized })]) {
      const lines: string[] = [];
      const keep = (line: string) => void lines.push(line);
      const logger = { info: keep, warn: keep, error: keep };
      const { durably } = await failed(
        world,
        (step) => {
          step.log.error(thrown as unknown as string);
          return step.run('pay', () => Promise.reject(thrown));
        },
        { errorDetail: 'message', logger },
      );
      const rows = await durably.db.selectFrom('durably_journal').selectAll().execute();
      expect(JSON.stringify([rows, lines])).toContain('Ser');
      expect(JSON.stringify([rows, lines])).not.toContain('secretpath');
    }
  });

  test('is stored for an output of the wrong shape and for a result that is not JSON', async ({ world }) => {
    const { durably } = await world.start();
    const { misfit, throwing } = durably.register({
      misfit: defineJob({
        name: 'misfit',
        input: z.unknown(),
        output: z.number(),
        run: () => 'one' as never,
      }),
      throwing: job('throwing', (step) =>
        step.run('encode', () => ({
          toJSON() {
            throw new RangeError('price out of range');
          },
        })),
      ),
    });
    const one = await untilStatus(durably, (await misfit.trigger(0)).id, 'failed');
    expect(one.errorDetail).toEqual({ name: 'ValidationError', code: 'VALIDATION', message: one.error });
    const other = await untilStatus(durably, (await throwing.trigger(0)).id, 'failed');
    expect(other.error).toBe('Step "encode" returned what JSON can\'t hold: price out of range');
    expect(other.errorDetail).toMatchObject({
      name: 'StepError',
      cause: { name: 'RangeError', message: 'price out of range' },
    });
  });

  test("is the cause of triggerAndWait's rejection, whichever instance executed the run", async ({
    world,
  }) => {
    const { durably } = await world.idle({ pollingInterval: 20 });
    const { task } = durably.register({ task: job('task', () => undefined) });
    const { durably: runner } = await world.start({ pollingInterval: 20 });
    runner.register({ task: job('task', (step) => step.run('pay', refuse)) });
    const error = await rejectionOf(task.triggerAndWait(0));
    expect(error).toBeInstanceOf(RunEndedError);
    expect(error).toMatchObject({ message: 'refused', ending: 'failed' });
    expect(error.cause).toBeInstanceOf(Error);
    expect(error.cause).toMatchObject({ name: 'PaymentError', message: 'refused', code: 'E_PAYMENT' });
    expect((error.cause as Error).stack).toMatch(/^PaymentError: refused\n +at refuse /);
    expect((error.cause as Error).cause).toMatchObject({ name: 'TypeError', message: 'card expired' });
  });

  test("has a length limit, like the error's text", async ({ world }) => {
    const { durably, run } = await failed(world, (step) => {
      step.log.info('l'.repeat(100_000));
      step.progress(1, 2, 'p'.repeat(100_000));
      throw new Error('e'.repeat(100_000));
    });
    const events = await readAll(durably.subscribe(run.id));
    const progress = events.flatMap((event) =>
      event.type === 'run:progress' ? [event.progress.message] : [],
    );
    const [line] = await durably.getLogs({ runId: run.id });
    for (const text of [run.error, line?.message, ...progress]) {
      expect(Buffer.byteLength(text ?? '')).toBeLessThanOrEqual(16 * 1024);
      expect(text).toMatch(/^(.)\1{16000,}…$/);
    }
    expect(Buffer.byteLength(JSON.stringify(run.errorDetail))).toBeLessThanOrEqual(16 * 1024);
    expect(run.errorDetail?.stack).toContain(' at ');
  });

  test('refuses an unknown mode', async ({ world }) => {
    for (const errorDetail of ['none', null, {}]) {
      const made = world.instance({ errorDetail: errorDetail as never });
      expect(await rejectionOf(made)).toBeInstanceOf(ValidationError);
    }
  });
});

contract('errors in log data', (test) => {
  test('are stored with name, message, stack, code and cause at any depth', async ({ world }) => {
    const { durably } = await world.start();
    const secretive = Object.assign(new Error('answered 401'), {
      config: { headers: { Authorization: 'Bearer hidden' } },
      toJSON() {
        return { config: this.config };
      },
    });
    const { task } = durably.register({
      task: job('task', (step) => {
        const error = new PaymentError('refused', { cause: new TypeError('card expired') });
        step.log.error('top', error);
        step.log.error('nested', { tries: [{ error, at: new Date(0) }], secretive });
        step.log.error('listed', [error, 1]);
        step.log.error(error as unknown as string);
      }),
    });
    const { id } = await task.trigger(0);
    await untilStatus(durably, id, 'completed');
    const stored = {
      name: 'PaymentError',
      message: 'refused',
      stack: expect.stringMatching(/^PaymentError: refused\n/),
      code: 'E_PAYMENT',
      cause: { name: 'TypeError', message: 'card expired', stack: expect.any(String) },
    };
    const lines = await durably.getLogs({ runId: id });
    expect(lines.map(({ data }) => data)).toEqual([
      stored,
      {
        tries: [{ error: stored, at: '1970-01-01T00:00:00.000Z' }],
        secretive: { name: 'Error', message: 'answered 401', stack: expect.any(String) },
      },
      [stored, 1],
      stored,
    ]);
    expect(lines.at(-1)?.message).toBe('refused');
  });

  test('are plain JSON in step results', async ({ world }) => {
    const { durably } = await world.start();
    const { task } = durably.register({
      task: job('task', (step) =>
        step.run('one', () => ({ error: Object.assign(new Error('x'), { a: 1 }) })),
      ),
    });
    expect((await task.triggerAndWait(0)).output).toEqual({ error: { a: 1 } });
  });
});

contract('a RangeError of a schema of the user', (test) => {
  test('fails the run, or rejects the trigger, with the RangeError itself', async ({ world }) => {
    const { durably } = await world.start();
    const strict = z.number().transform((n) => {
      if (n > 1) throw new RangeError(`${n} is out of range`);
      return n;
    });
    const { input, output } = durably.register({
      input: defineJob({ name: 'input', input: strict, run: () => 1 }),
      output: defineJob({ name: 'output', input: z.unknown(), output: strict, run: () => 2 }),
    });
    expect(await rejectionOf(input.trigger(2))).toMatchObject({
      name: 'RangeError',
      message: '2 is out of range',
    });
    const run = await untilStatus(durably, (await output.trigger(0)).id, 'failed');
    expect(run).toMatchObject({ error: '2 is out of range', errorDetail: { name: 'RangeError' } });
  });
});
