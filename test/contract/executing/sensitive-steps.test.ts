import { expect } from 'vitest';
import type { DurablyPlugin, StepContext } from '../../../src/index.ts';
import { createDurablyHandler } from '../../../src/server.ts';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { readAll, recordEvents, untilStatus } from '../../support/runs.ts';

const SECRET = 'open sesame';

contract('a sensitive step', (test) => {
  test('gives its result to the job, and to nobody else', async ({ world }) => {
    const lines: unknown[] = [];
    const write = (...line: unknown[]) => void lines.push(line);
    const { durably } = await world.start({ logger: { info: write, warn: write, error: write } });
    const events = recordEvents(durably);
    const got: unknown[] = [];
    durably.register({
      task: job('task', async (step) => {
        got.push(await step.run('sign in', { sensitive: true }, () => ({ token: SECRET })));
        got.push(await step.run('nothing', { sensitive: true }, () => undefined));
        await step.run('plain', () => 'seen');
        await step.waitForSignal('go');
      }),
    });
    const { id } = await durably.trigger({ jobName: 'task', input: 1 });
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'go');
    await untilStatus(durably, id, 'completed');
    // Once executed, once replayed.
    expect(got).toEqual([{ token: SECRET }, undefined, { token: SECRET }, undefined]);
    expect(await durably.getSteps(id)).toMatchObject([
      { name: 'sign in', output: '[redacted]' },
      { name: 'nothing', output: null },
      { name: 'plain', output: 'seen' },
      { name: 'go' },
    ]);
    const streamed = await readAll(durably.subscribe(id));
    expect(streamed).toContainEqual(
      expect.objectContaining({ type: 'step:complete', stepName: 'sign in', output: '[redacted]' }),
    );
    expect(JSON.stringify([streamed, events, lines])).not.toContain(SECRET);
    const handler = createDurablyHandler(durably);
    for (const path of [`run?runId=${id}`, `steps?runId=${id}`, `subscribe?runId=${id}`, 'runs']) {
      const answer = await handler.handle(new Request(`http://localhost/api/${path}`), '/api');
      const text = await answer.text();
      expect(text).not.toContain(SECRET);
      expect(text).not.toContain('u0024');
      if (/^(steps|subscribe)/.test(path)) expect(text).toContain('"[redacted]"');
    }
  });

  test('throws its error as it is, and shows nothing of it', async ({ world }) => {
    const lines: unknown[] = [];
    const write = (...line: unknown[]) => void lines.push(line);
    const { durably } = await world.start({ logger: { info: write, warn: write, error: write } });
    const events = recordEvents(durably);
    const fail = (step: StepContext) =>
      step.run('sign in', { sensitive: true, retries: { limit: 1, delay: 1 } }, () => {
        throw new TypeError(`refused ${SECRET}`, { cause: new Error(SECRET) });
      });
    const caught: string[] = [];
    durably.register({
      bare: job('bare', fail),
      wrapping: job('wrapping', (step) =>
        fail(step).catch((cause) => {
          throw new Error(`within: ${cause.message}`, { cause });
        }),
      ),
      together: job('together', (step) => Promise.any([fail(step)])),
      text: job('text', (step) =>
        step.run('sign in', { sensitive: true }, () => {
          throw SECRET;
        }),
      ),
      caught: job('caught', async (step) => {
        await fail(step).catch((error: Error) => caught.push(`${error.name}: ${error.message}`));
        await step.waitForSignal('go');
      }),
      parent: job('parent', (step) => step.invoke('ask', 'bare', 1)),
      part: job('part', async (step) => {
        const error = await fail(step).catch((thrown: Error) => thrown);
        throw (error as Error).cause;
      }),
      later: job('later', async (step) => {
        const error = await fail(step).catch((thrown: Error) => thrown);
        await step.waitForSignal('go');
        throw (error as Error).cause;
      }),
    });
    for (const jobName of ['bare', 'wrapping', 'together', 'text', 'parent', 'part', 'later']) {
      const { id } = await durably.trigger({ jobName, input: 1 });
      if (jobName === 'later') await durably.signal(id, 'go');
      const run = await untilStatus(durably, id, 'failed');
      expect(run.error, jobName).toContain('[redacted]');
      expect(JSON.stringify([run, await durably.getSteps(id)])).not.toContain(SECRET);
      expect(JSON.stringify(await readAll(durably.subscribe(id)))).not.toContain(SECRET);
    }
    expect(await durably.getRuns({ jobName: 'bare' })).toContainEqual(
      expect.objectContaining({
        error: '[redacted]',
        errorDetail: { name: 'TypeError', message: '[redacted]', stepName: 'sign in' },
        failedStepName: 'sign in',
      }),
    );
    const { id } = await durably.trigger({ jobName: 'caught', input: 1 });
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'go');
    await untilStatus(durably, id, 'completed');
    expect(caught).toEqual(Array.from({ length: 2 }, () => `TypeError: refused ${SECRET}`));
    expect(await durably.getSteps(id)).toMatchObject([{ error: '[redacted]', errorDetail: null }, {}]);
    expect(JSON.stringify([events, lines])).not.toContain(SECRET);
  });

  test('shows nothing of its error when another step throws it on, also when that is thrown again', async ({
    world,
  }) => {
    const seen: unknown[] = [];
    const plugin: DurablyPlugin = {
      name: 'curious',
      aroundRun: (_run, next) => next().catch((error: Error) => void seen.push(error.message, error.stack)),
      aroundStep: async (_step, next) => {
        await next().then(
          (result) => seen.push(result),
          (error: Error) => void seen.push(error.message, error.stack, error.cause),
        );
      },
    };
    const { durably } = await world.start({ use: [plugin] });
    const events = recordEvents(durably);
    const caught: unknown[] = [];
    durably.register({
      task: job('task', async (step, mode) => {
        const outer = step.run('outer', () =>
          step.run('sign in', { sensitive: true }, () => {
            throw new TypeError(`refused ${SECRET}`);
          }),
        );
        const error = await outer.catch((reason: Error) => reason);
        caught.push(String(error));
        await step.run('secret', { sensitive: true }, () => SECRET);
        if (mode === 'waits') await step.waitForSignal('go');
        throw error;
      }),
    });
    const { id: bare } = await durably.trigger({ jobName: 'task', input: 'fails' });
    const failed = await untilStatus(durably, bare, 'failed');
    expect(failed).toMatchObject({ error: '[redacted]', failedStepName: 'outer' });
    caught.length = 0;
    const { id } = await durably.trigger({ jobName: 'task', input: 'waits' });
    await untilStatus(durably, id, 'waiting');
    await durably.signal(id, 'go');
    const run = await untilStatus(durably, id, 'failed');
    expect(run).toMatchObject({ error: '[redacted]', errorDetail: { name: 'TypeError' } });
    expect(caught).toEqual(Array.from({ length: 2 }, () => `TypeError: refused ${SECRET}`));
    const shown = [
      failed,
      run,
      await durably.getSteps(id),
      await readAll(durably.subscribe(id)),
      events,
      seen,
    ];
    expect(JSON.stringify(shown)).not.toContain(SECRET);
    expect(seen).toContain('[redacted]');
  });

  test('is done already in a fork and in a retry', async ({ world }) => {
    const { durably } = await world.start();
    let calls = 0;
    let mayPass = false;
    durably.register({
      task: job('task', async (step) => {
        const secret = await step.run('sign in', { sensitive: true }, () => {
          calls++;
          return SECRET;
        });
        await step.run('use', () => {
          if (!mayPass) throw new Error('not yet');
        });
        return secret.length;
      }),
    });
    const { id } = await durably.trigger({ jobName: 'task', input: 1 });
    await untilStatus(durably, id, 'failed');
    mayPass = true;
    await durably.retry(id);
    expect((await untilStatus(durably, id, 'completed')).output).toBe(SECRET.length);
    const fork = await durably.fork(id, { from: 'use' });
    expect((await untilStatus(durably, fork.id, 'completed')).output).toBe(SECRET.length);
    expect(calls).toBe(1);
    expect(await durably.getSteps(fork.id)).toMatchObject([{ output: '[redacted]' }, { output: null }]);
  });

  test('may be a default of a job, which a step can undo', async ({ world }) => {
    const { durably } = await world.start();
    const task = {
      ...job('task', async (step) => {
        await step.run('hidden', () => SECRET);
        await step.run('shown', { sensitive: false }, () => 'seen');
      }),
      defaults: { sensitive: true },
    };
    durably.register({ task });
    const { id } = await durably.trigger({ jobName: 'task', input: 1 });
    await untilStatus(durably, id, 'completed');
    expect(await durably.getSteps(id)).toMatchObject([{ output: '[redacted]' }, { output: 'seen' }]);
    const bad = { ...task, name: 'bad', defaults: { sensitive: 'yes' as unknown as boolean } };
    expect(() => durably.register({ bad })).toThrow('defaults.sensitive must be true or false, not "yes"');
  });

  test('shows a result that looks like a mark as it is', async ({ world }) => {
    const { durably } = await world.start();
    const value = { $redacted: 'mine' };
    durably.register({ task: job('task', (step) => step.run('plain', () => value)) });
    const { id } = await durably.trigger({ jobName: 'task', input: 1 });
    await untilStatus(durably, id, 'completed');
    expect(await durably.getSteps(id)).toMatchObject([{ output: value }]);
  });
});
