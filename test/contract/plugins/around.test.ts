import { expect } from 'vitest';
import type { DurablyPlugin, ExecutionOutcome, PluginRun, PluginStep } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';

/** Writes down what it sees around runs and steps. */
function recorder(name: string, lines: string[]): DurablyPlugin {
  return {
    name,
    async aroundRun({ kind, attempt }, next) {
      lines.push(`${name} run ${kind} ${attempt}`);
      const outcome = await next().catch((error: unknown) => `failed: ${(error as Error).message}`);
      lines.push(`${name} run ${outcome}`);
    },
    async aroundStep({ stepName, stepIndex, attempt }, next) {
      lines.push(`${name} step ${stepName} ${stepIndex} ${attempt}`);
      const outcome = await next().then(
        () => 'done',
        (error: unknown) => (error as Error).message,
      );
      lines.push(`${name} step ${stepName} ${outcome}`);
    },
  };
}

contract('plugins around runs and steps', (test) => {
  test('are told when the delay of a run was over, however late somebody looked', async ({ world }) => {
    const seen: PluginRun[] = [];
    const around: DurablyPlugin = {
      name: 'seen',
      aroundRun: async (run, next) => {
        seen.push(run);
        await next();
      },
    };
    const { durably } = await world.idle({ use: [around] });
    const { echo: handle } = durably.register({ echo });
    const { id, waits } = await handle.trigger(0, { delay: 20 });
    const dueMs = Date.parse(waits[0]?.until ?? '');
    await until(
      async () => Date.parse((await durably.getOverview()).at) > dueMs + 50,
      'the database to be later',
    );
    durably.start();
    await untilStatus(durably, id, 'completed');
    expect(seen.map(({ dueSinceMs }) => dueSinceMs)).toEqual([dueMs]);
  });

  test('are nested in their order, and are not called for replayed steps', async ({ world }) => {
    const lines: string[] = [];
    const { durably } = await world.start({ use: [recorder('a', lines), recorder('b', lines)] });
    const tools = await world.tools();
    const { two } = durably.register({
      two: job('two', async (step) => {
        await step.run('one', () => void lines.push('one runs'));
        await step.sleep('night', '8h');
        return await step.run('last', () => 'end');
      }),
    });
    const { id } = await two.trigger(0);
    await untilStatus(durably, id, 'waiting');
    expect(lines).toEqual([
      'a run start 1',
      'b run start 1',
      'a step one 0 1',
      'b step one 0 1',
      'one runs',
      'b step one done',
      'a step one done',
      'b run waiting',
      'a run waiting',
    ]);
    lines.length = 0;
    await tools.ageDue(id, 9 * 3_600_000);
    expect((await untilStatus(durably, id, 'completed')).output).toBe('end');
    expect(lines).toEqual([
      'a run resume 1',
      'b run resume 1',
      'a step last 2 1',
      'b step last 2 1',
      'b step last done',
      'a step last done',
      'b run completed',
      'a run completed',
    ]);
  });

  test('see each try of a step, its failure and that of the run, and can hide neither', async ({ world }) => {
    const lines: string[] = [];
    const { durably } = await world.start({ use: [recorder('a', lines)] });
    const { bad } = durably.register({
      bad: job('bad', (step) =>
        step.run('try', { retries: { limit: 1, delay: 1 } }, (_signal, { attempt }) => {
          throw new Error(`try ${attempt}`);
        }),
      ),
    });
    const { id } = await bad.trigger(0);
    expect(await untilStatus(durably, id, 'failed')).toMatchObject({ error: 'try 2', failedStepName: 'try' });
    expect(lines).toEqual([
      'a run start 1',
      'a step try 0 1',
      'a step try try 1',
      'a step try 0 2',
      'a step try try 2',
      'a run failed: try 2',
    ]);
  });

  test('see the end of an execution that is not theirs to end', async ({ world }) => {
    const outcomes: ExecutionOutcome[] = [];
    const plugin: DurablyPlugin = {
      name: 'a',
      aroundRun: async (_run, next) => void outcomes.push(await next()),
    };
    const { durably } = await world.start({ use: [plugin] });
    const entered = [deferred(), deferred()];
    const { stuck } = durably.register({
      stuck: job('stuck', (step, at) =>
        step.run('hang', (signal) => {
          entered[at as number]?.resolve();
          return new Promise<void>((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason));
          });
        }),
      ),
    });
    const first = await stuck.trigger(0);
    await entered[0]?.promise;
    await durably.cancel(first.id);
    await until(() => outcomes.length === 1, 'the first outcome');
    await stuck.trigger(1);
    await entered[1]?.promise;
    await durably.stop({ timeoutMs: 0 });
    await until(() => outcomes.length === 2, 'the second outcome');
    expect(outcomes).toEqual(['cancelled', 'handed-back']);
  });

  test('get the run and the step', async ({ world }) => {
    const runs: PluginRun[] = [];
    const steps: PluginStep[] = [];
    const plugin: DurablyPlugin = {
      name: 'a',
      async aroundRun(run, next) {
        runs.push(run);
        (run.input as { changed?: true }).changed = true;
        await next();
      },
      async aroundStep(step, next) {
        steps.push(step);
        await next();
      },
    };
    const { durably } = await world.start({ use: [plugin] });
    const { one } = durably.register({
      one: job('one', (step, payload) => step.run('work', () => payload)),
    });
    const { id } = await one.trigger({ a: 1 }, { concurrencyKey: 'c' });
    // What a plugin does to the input does not reach the job.
    expect((await untilStatus(durably, id, 'completed')).output).toEqual({ a: 1 });
    expect(runs).toMatchObject([
      {
        ...{ runId: id, jobName: 'one', attempt: 1, kind: 'start', stepCount: 0, version: 1 },
        ...{ concurrencyKey: 'c', parentRunId: null, data: undefined },
      },
    ]);
    expect(runs[0]?.signal).toBeInstanceOf(AbortSignal);
    expect(steps).toMatchObject([{ stepName: 'work', stepIndex: 0, attempt: 1 }]);
    expect(steps[0]?.run).toBe(runs[0]);
  });

  test('fail the run if they throw, before or after it, and no other', async ({ world }) => {
    const plugin: DurablyPlugin = {
      name: 'a',
      async aroundRun({ input }, next) {
        if (input === 'before') throw new Error('thrown before');
        await next();
        if (input === 'after') throw new Error('thrown after');
      },
    };
    const { durably } = await world.start({ use: [plugin] });
    const { echo: handle } = durably.register({ echo });
    const ids = [];
    for (const input of ['before', 'after', 'neither']) ids.push((await handle.trigger(input)).id);
    const [before = '', after = '', neither = ''] = ids;
    expect(await untilStatus(durably, before, 'failed')).toMatchObject({
      error: 'thrown before',
      failedStepName: 'unknown',
    });
    expect((await untilStatus(durably, after, 'failed')).error).toBe('thrown after');
    expect((await untilStatus(durably, neither, 'completed')).output).toBe('neither');
  });

  test('fail the try of a step if they throw, which is tried again', async ({ world }) => {
    let tries = 0;
    const plugin: DurablyPlugin = {
      name: 'a',
      async aroundStep({ attempt }, next) {
        await next();
        if (attempt === 1) throw new Error('not yet');
      },
    };
    const { durably } = await world.start({ use: [plugin] });
    const { one } = durably.register({
      one: job('one', (step) => step.run('work', { retries: { limit: 1, delay: 1 } }, () => ++tries)),
    });
    const { id } = await one.trigger(0);
    expect((await untilStatus(durably, id, 'completed')).output).toBe(2);
  });

  test('fail what they are around if they never call next, and never call it twice', async ({ world }) => {
    let calls = 0;
    let second: unknown;
    const lazy: DurablyPlugin = { name: 'lazy', aroundRun: () => undefined };
    const twice: DurablyPlugin = {
      name: 'twice',
      async aroundStep(_step, next) {
        await next();
        second = await next().catch((error: unknown) => error);
      },
    };
    const { durably: first } = await world.start({ use: [lazy] });
    const counted = job('counted', (step) => step.run('count', () => ++calls));
    const { id } = await first.register({ counted }).counted.trigger(0);
    const error = 'Plugin "lazy" did not call next in aroundRun';
    expect(await untilStatus(first, id, 'failed')).toMatchObject({ error });
    expect(calls).toBe(0);
    await first.stop();
    const { durably } = await world.start({ use: [twice] });
    const other = await durably.register({ counted }).counted.trigger(0);
    expect((await untilStatus(durably, other.id, 'completed')).output).toBe(1);
    expect(second).toMatchObject({ message: 'Plugin "twice" called next twice in aroundStep' });
    expect(calls).toBe(1);
  });

  test('are not waited for when the run is stopped, and start no job after that', async ({ world }) => {
    const entered = deferred();
    const release = deferred();
    let late: Promise<ExecutionOutcome> | undefined;
    let calls = 0;
    const plugin: DurablyPlugin = {
      name: 'slow',
      async aroundRun(_run, next) {
        entered.resolve();
        await release.promise;
        late = next();
        await late;
      },
    };
    const { durably } = await world.start({ use: [plugin] });
    const { counted } = durably.register({ counted: job('counted', () => ++calls) });
    const { id } = await counted.trigger(0);
    await entered.promise;
    await durably.cancel(id);
    await until(() => durably.countRunning() === 0, 'the slot to be free');
    release.resolve();
    await until(() => late !== undefined, 'the late call');
    expect(await late).toBe('cancelled');
    expect(calls).toBe(0);
  });

  test('report what they throw after the run was put to wait, which goes on', async ({ world }) => {
    const plugin: DurablyPlugin = {
      name: 'a',
      async aroundRun(_run, next) {
        if ((await next()) === 'waiting') throw new Error('too late');
      },
    };
    const { durably } = await world.start({ use: [plugin] });
    const errors: unknown[] = [];
    durably.on('worker:error', ({ context, error, runId }) => errors.push([context, error, runId]));
    const { waits } = durably.register({ waits: job('waits', (step) => step.waitForSignal('go')) });
    const { id } = await waits.trigger(0);
    await untilStatus(durably, id, 'waiting');
    await until(() => errors.length > 0, 'the report');
    expect(errors).toEqual([['plugin', 'too late', id]]);
    await durably.signal(id, 'go', 'on');
    expect((await untilStatus(durably, id, 'completed')).output).toBe('on');
  });
});

contract('a plugin that hears events', (test) => {
  test('hears each of this process after it was stored, and no run notices what it throws', async ({
    world,
  }) => {
    const heard: string[] = [];
    const failures: unknown[] = [];
    const plugin: DurablyPlugin = {
      name: 'a',
      onEvent({ type }) {
        heard.push(type);
        if (type === 'run:complete') throw new Error('sync');
        return type === 'run:start' ? Promise.reject(new Error('async')) : undefined;
      },
    };
    const { durably } = await world.start({ use: [plugin] });
    durably.onError((error, event) => failures.push([(error as Error).message, event.type]));
    const { one } = durably.register({
      one: job('one', (step) => step.run('work', () => 1)),
    });
    const { id } = await one.trigger(0);
    await untilStatus(durably, id, 'completed');
    await until(() => failures.length === 2, 'both failures');
    expect(heard).toEqual(['run:trigger', 'run:start', 'step:start', 'step:complete', 'run:complete']);
    expect(new Set(failures)).toEqual(
      new Set([
        ['async', 'run:start'],
        ['sync', 'run:complete'],
      ]),
    );
  });
});
