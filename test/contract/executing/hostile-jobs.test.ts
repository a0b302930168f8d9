import { expect, onTestFinished, vi } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { watchProcess } from '../../support/processes/watch-process.ts';
import { nextEvent, recordEvents, untilStatus } from '../../support/runs.ts';
import { deferred } from '../../support/until.ts';

const thrower = (message: string) => () => {
  throw new Error(message);
};

/** Throws whatever property is read. */
const hostile = () =>
  new Proxy(
    {},
    {
      get: thrower('get'),
      getPrototypeOf: thrower('getPrototypeOf'),
      ownKeys: thrower('ownKeys'),
      has: thrower('has'),
    },
  );

/** An error whose list of errors has a method that returns nonsense. */
const oddGroup = () => Object.assign(new Error('weird'), { errors: Object.assign([1], { slice: () => 5 }) });

contract("a job's code harms nobody", (test) => {
  test('when an abort listener throws: worker:error reports it, and everything continues', async ({
    world,
  }) => {
    const raised = watchProcess();
    const { durably } = await world.start({ maxConcurrentRuns: 2 });
    const errors = recordEvents(durably, ['worker:error']);
    const started = deferred();
    const { listening, other } = durably.register({
      listening: job('listening', (step) => {
        step.signal.addEventListener('abort', thrower('of the job'));
        return step.run('step', async (signal) => {
          signal.addEventListener('abort', () => Promise.reject(new Error('of the step')));
          signal.onabort = thrower('onabort');
          started.resolve();
          await new Promise(() => undefined);
        });
      }),
      other: echo,
    });
    const { id } = await listening.trigger(1);
    await started.promise;
    await durably.cancel(id);
    expect((await other.triggerAndWait('unharmed')).output).toBe('unharmed');
    expect(errors).toHaveLength(3);
    for (const message of ['of the job', 'of the step', 'onabort']) {
      expect(errors).toContainEqual(
        expect.objectContaining({ error: message, context: 'abort-listener', runId: id }),
      );
    }
    await durably.stop();
    expect(raised).toEqual([]);
  });

  test('when an abort listener throws during a hand-back: the run is pending and stop resolves', async ({
    world,
  }) => {
    const raised = watchProcess();
    const { durably } = await world.start();
    const started = deferred();
    const { listening } = durably.register({
      listening: job('listening', async (step) => {
        step.signal.addEventListener('abort', thrower('at the end'));
        started.resolve();
        await new Promise(() => undefined);
      }),
    });
    const { id } = await listening.trigger(1);
    await started.promise;
    await durably.stop({ timeoutMs: 1 });
    expect((await durably.getRun(id))?.status).toBe('pending');
    expect(raised).toEqual([]);
  });

  test('when it adds many listeners: no warning is printed', async ({ world }) => {
    const raised = watchProcess();
    const { durably } = await world.start();
    const { wide } = durably.register({
      wide: job('wide', async (step) => {
        const steps = Array.from({ length: 30 }, (_, i) =>
          step.run(`step ${i}`, async (signal) => {
            signal.addEventListener('abort', () => undefined);
            step.signal.addEventListener('abort', () => undefined);
            await idle();
          }),
        );
        await Promise.all(steps);
      }),
    });
    await wide.triggerAndWait(1);
    expect(raised).toEqual([]);
  });

  test('when it throws or returns strange values: its run fails and the next one runs', async ({ world }) => {
    const raised = watchProcess();
    const { durably } = await world.start();
    const answers: Record<string, () => unknown> = {
      'throws a proxy': () => {
        throw hostile();
      },
      'throws an error with odd errors': () => {
        throw oddGroup();
      },
      'returns a proxy': hostile,
      'throws at toJSON': () => ({ toJSON: thrower('toJSON') }),
      'throws in a getter': () => ({
        get value() {
          throw new Error('getter');
        },
      }),
      // biome-ignore-start lint/suspicious/noThenProperty: thenables are what is tested.
      'throws in then': () => ({ then: thrower('then') }),
      'has a throwing then': () =>
        Object.defineProperty({}, 'then', {
          get: thrower('then'),
        }),
      'rejects twice': () => ({
        then(resolve: (value: unknown) => void, reject: (error: unknown) => void) {
          reject(new Error('first'));
          resolve('then this');
          reject(new Error('second'));
        },
      }),
      // biome-ignore-end lint/suspicious/noThenProperty: thenables are what is tested.
    };
    const { harmful, inStep, fine } = durably.register({
      harmful: job('harmful', (_step, name) => answers[String(name)]?.()),
      inStep: job('in-step', (step, name) => step.run('step', () => answers[String(name)]?.())),
      fine: echo,
    });
    for (const name of Object.keys(answers)) {
      for (const handle of [harmful, inStep]) {
        const { id } = await handle.trigger(name);
        expect((await untilStatus(durably, id, 'failed')).error, name).toEqual(expect.any(String));
      }
      expect((await fine.triggerAndWait(name)).output).toBe(name);
    }
    expect(raised).toEqual([]);
  });

  test('when it logs a strange list of errors: the line is stored and the job continues', async ({
    world,
  }) => {
    const { durably } = await world.start();
    const odd = Object.assign([new Error('one')], { some: () => true, map: () => 5 });
    const { logging } = durably.register({
      logging: job('logging', (step) => {
        step.log.error('error', oddGroup());
        step.log.error('list', odd);
        return 'logged';
      }),
    });
    const { id, output } = await logging.triggerAndWait(0);
    expect(output).toBe('logged');
    expect(await durably.getLogs({ runId: id })).toMatchObject([
      { data: { message: 'weird', errors: [{ name: 'number', message: '1' }] } },
      { data: [{ message: 'one' }] },
    ]);
  });

  test('when its schemas misbehave, zod or not: the trigger is refused or the run fails', async ({
    world,
  }) => {
    const raised = watchProcess();
    const { durably } = await world.start();
    const schemas: Record<string, z.ZodType> = {
      'a refinement that throws': z.unknown().refine(thrower('sync')),
      'a refinement that rejects': z.unknown().refine(async () => thrower('async')()),
      'a transform that throws a proxy': z.unknown().transform(() => {
        throw hostile();
      }),
      'a foreign schema that throws': { safeParse: thrower('foreign') } as unknown as z.ZodType,
      'a foreign schema that rejects': {
        safeParse: async () => thrower('foreign')(),
      } as unknown as z.ZodType,
      'a foreign schema that answers nothing': { safeParse: () => undefined } as unknown as z.ZodType,
    };
    const { fine } = durably.register({ fine: echo });
    for (const [name, schema] of Object.entries(schemas)) {
      const input = defineJob({ name: `input: ${name}`, input: schema, run: () => 1 });
      const output = defineJob({ name: `output: ${name}`, input: z.unknown(), output: schema, run: () => 1 });
      const handles = durably.register({ input, output });
      await expect(handles.input.trigger(1), name).rejects.toBeDefined();
      const { id } = await handles.output.trigger(1);
      await untilStatus(durably, id, 'failed');
      expect((await fine.triggerAndWait(name)).output).toBe(name);
    }
    expect(raised).toEqual([]);
  });

  test('when a foreign schema parses asynchronously: the trigger waits for it', async ({ world }) => {
    const { durably } = await world.start();
    const input = {
      safeParse: async (value: unknown) => ({ success: true, data: `parsed ${value}` }),
    } as unknown as z.ZodType;
    const { foreign } = durably.register({
      foreign: defineJob({ name: 'foreign', input, run: (_step, payload) => payload }),
    });
    expect((await foreign.triggerAndWait('x')).output).toBe('parsed x');
  });

  test('when an event handler returns a bad thenable, or an onError rejects', async ({ world }) => {
    const raised = watchProcess();
    const onConsole = vi.spyOn(console, 'error').mockReturnValue();
    onTestFinished(() => onConsole.mockRestore());
    const { durably } = await world.start();
    const heard: unknown[] = [];
    const { fine } = durably.register({ fine: echo });
    // biome-ignore-start lint/suspicious/noThenProperty: thenables are what is tested.
    const answers: (() => unknown)[] = [
      () => ({ then: (_: unknown, reject: (error: unknown) => void) => reject('thenable') }),
      () =>
        Object.defineProperty({}, 'then', {
          get: () => {
            throw 'getter';
          },
        }),
      () => Promise.reject('promise'),
    ];
    // biome-ignore-end lint/suspicious/noThenProperty: thenables are what is tested.
    for (const answer of answers) durably.on('run:complete', answer as () => undefined);
    durably.onError((error) => {
      heard.push(error);
      return Promise.reject(hostile()) as never;
    });
    const completed = nextEvent(durably, 'run:complete');
    await fine.triggerAndWait('x');
    await completed;
    await idle();
    expect(heard).toEqual(expect.arrayContaining(['thenable', 'getter', 'promise']));
    expect(raised).toEqual([]);
  });
});
