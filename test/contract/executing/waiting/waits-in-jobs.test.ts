import { expect } from 'vitest';
import { ConflictError, type JobHandle } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { idle } from '../../../support/idle.ts';
import { echo, job } from '../../../support/jobs.ts';
import { watchProcess } from '../../../support/processes/watch-process.ts';
import { rejectionOf, untilStatus } from '../../../support/runs.ts';
import { deferred, until } from '../../../support/until.ts';

/** Something that a job can trigger. */
type AnyHandle = Pick<JobHandle, 'trigger' | 'triggerAndWait'>;

contract('waiting inside a job', (test) => {
  test('fails at once for a run that no slot is left for, says what to do, and triggers nothing', async ({
    world,
  }) => {
    const { durably } = await world.start();
    const { child } = durably.register({ child: echo });
    const { parent } = durably.register({ parent: job('parent', () => child.triggerAndWait(1)) });
    const { id } = await parent.trigger(0);
    const { error } = await untilStatus(durably, id, 'failed');
    expect(error).toContain('would wait for ever');
    expect(error).toContain('`trigger`');
    expect(error).toContain('maxConcurrentRuns');
    expect(await child.getRuns()).toEqual([]);
    expect((await child.triggerAndWait('goes on')).output).toBe('goes on');
  });

  test('works while a slot is left, and is refused for the parent that would hold the last one', async ({
    world,
  }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 2 });
    const bothStarted = deferred();
    let started = 0;
    const { child } = durably.register({ child: echo });
    const { parent } = durably.register({
      parent: job('parent', async (_step, name) => {
        if (++started === 2) bothStarted.resolve();
        await bothStarted.promise;
        return (await child.triggerAndWait(name)).output;
      }),
    });
    const runs = [await parent.trigger('a'), await parent.trigger('b')];
    const ended = await Promise.all(
      runs.map(({ id }) =>
        until(async () => {
          const run = await durably.getRun(id);
          return run?.isTerminal ? run : null;
        }),
      ),
    );
    expect(ended.map(({ status }) => status).sort()).toEqual(['completed', 'failed']);
  });

  test('counts waiting runs, not their waits, and includes children that wait', async ({ world }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 2 });
    const { leaf } = durably.register({ leaf: echo });
    const { twice, child } = durably.register({
      twice: job('twice', async () => {
        const both = await Promise.all([leaf.triggerAndWait(1), leaf.triggerAndWait(2)]);
        return both.map(({ output }) => output);
      }),
      child: job('child', () => leaf.triggerAndWait(3)),
    });
    const { parent } = durably.register({ parent: job('parent', () => child.triggerAndWait(0)) });
    expect((await twice.triggerAndWait(0)).output).toEqual([1, 2]);
    expect(await rejectionOf(parent.triggerAndWait(0))).toMatchObject({
      ending: 'failed',
      message: expect.stringContaining('would wait for ever'),
    });
  });

  test('is refused if the child needs a concurrency key that its parent, or a run waiting for the parent, holds', async ({
    world,
  }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 5 });
    const { leaf } = durably.register({ leaf: echo });
    const { child } = durably.register({
      child: job('child', () => leaf.triggerAndWait(0, { concurrencyKey: 'key' })),
    });
    const { own, across } = durably.register({
      own: job('own', () => leaf.triggerAndWait(0, { concurrencyKey: 'key' })),
      across: job('across', () => child.triggerAndWait(0, { concurrencyKey: 'another' })),
    });
    for (const handle of [own, across]) {
      expect(await rejectionOf(handle.triggerAndWait(0, { concurrencyKey: 'key' }))).toMatchObject({
        message: expect.stringContaining('"key"'),
      });
    }
    expect((await own.triggerAndWait(0)).output).toMatchObject({ output: 0 });
  });

  test("is refused for the second of two runs that wait for each other's keys", async ({ world }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 5 });
    const bothStarted = deferred();
    let started = 0;
    const { leaf } = durably.register({ leaf: echo });
    const { crossed } = durably.register({
      crossed: job('crossed', async (_step, concurrencyKey) => {
        if (++started === 2) bothStarted.resolve();
        await bothStarted.promise;
        return (await leaf.triggerAndWait(0, { concurrencyKey: String(concurrencyKey) })).output;
      }),
    });
    const outcomes = await Promise.allSettled([
      crossed.triggerAndWait('b', { concurrencyKey: 'a' }),
      crossed.triggerAndWait('a', { concurrencyKey: 'b' }),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  test('is refused for the run itself, by its idempotency key, and needs no slot for a run that has ended', async ({
    world,
  }) => {
    const { durably } = await world.start();
    const handles: { self?: AnyHandle } = {};
    const { child, self } = durably.register({
      child: echo,
      self: job('self', () => handles.self?.triggerAndWait(0, { idempotencyKey: 'self' })),
    });
    handles.self = self;
    expect(await rejectionOf(self.triggerAndWait(0, { idempotencyKey: 'self' }))).toMatchObject({
      message: expect.stringContaining('cannot wait for itself'),
    });
    const options = { idempotencyKey: 'child' };
    const { parent } = durably.register({ parent: job('parent', () => child.triggerAndWait(1, options)) });
    const first = await parent.trigger(0);
    await untilStatus(durably, first.id, 'failed');
    const [waited] = await child.getRuns();
    await untilStatus(durably, waited?.id ?? '', 'completed');
    await durably.retry(first.id);
    expect((await untilStatus(durably, first.id, 'completed')).output).toEqual({ id: waited?.id, output: 1 });
  });

  test('does not count slots for a run of another instance', async ({ world }) => {
    const { durably } = await world.start();
    const { durably: other } = await world.another().start();
    const { child } = other.register({ child: echo });
    const { parent } = durably.register({ parent: job('parent', () => child.triggerAndWait('there')) });
    expect((await parent.triggerAndWait(0)).output).toMatchObject({ output: 'there' });
  });

  test('is refused if two instances would wait for each other, and keeps their keys apart', async ({
    world,
  }) => {
    const { durably } = await world.start();
    const { durably: other } = await world.another().start({ maxConcurrentRuns: 2 });
    const { leaf } = durably.register({ leaf: echo });
    const { there, leafThere } = other.register({
      there: job('there', () => leaf.triggerAndWait(0)),
      leafThere: echo,
    });
    const { across, sameKey } = durably.register({
      across: job('across', () => there.triggerAndWait(0)),
      sameKey: job('same-key', () => leafThere.triggerAndWait('there', { concurrencyKey: 'key' })),
    });
    expect(await rejectionOf(across.triggerAndWait(0))).toMatchObject({
      message: expect.stringContaining('would wait for ever'),
    });
    const { output } = await sameKey.triggerAndWait(0, { concurrencyKey: 'key' });
    expect(output).toMatchObject({ output: 'there' });
  });

  test('does not end the process when a wait is refused that nobody awaits', async ({ world }) => {
    const raised = watchProcess();
    const { durably } = await world.start();
    const { child } = durably.register({ child: echo });
    const { parent } = durably.register({ parent: job('parent', () => void child.triggerAndWait(0)) });
    await parent.triggerAndWait(0);
    expect(raised).toEqual([]);
  });

  test('is allowed for any run after the job has ended', async ({ world }) => {
    const { durably } = await world.start();
    const { child } = durably.register({ child: echo });
    const waited = deferred<unknown>();
    const { parent } = durably.register({
      parent: job('parent', () => {
        const later = idle().then(() => child.triggerAndWait('after'));
        void later.then(waited.resolve, waited.resolve);
      }),
    });
    await parent.triggerAndWait(0);
    expect(await waited.promise).toMatchObject({ output: 'after' });
  });

  test('ends with the run: a cancelled parent stops waiting', async ({ world }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 2 });
    const gate = deferred();
    const waited = deferred<unknown>();
    const { child } = durably.register({ child: job('child', () => gate.promise) });
    const { parent } = durably.register({
      parent: job('parent', () => child.triggerAndWait(0).catch(waited.resolve)),
    });
    const childStarted = new Promise<void>((resolve) =>
      durably.on('run:start', ({ jobName }) => jobName === 'child' && resolve()),
    );
    const { id } = await parent.trigger(0);
    await childStarted;
    await durably.cancel(id);
    expect(await waited.promise).toMatchObject({ code: 'RUN_CANCELLED' });
    gate.resolve();
  });

  test('is refused for processOne and processUntilIdle', async ({ world }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 2 });
    const errors: unknown[] = [];
    const { worker } = durably.register({
      worker: job('worker', async () => {
        errors.push(await rejectionOf(durably.processOne()), await rejectionOf(durably.processUntilIdle()));
      }),
    });
    await worker.triggerAndWait(0);
    for (const error of errors) expect(error).toBeInstanceOf(ConflictError);
  });
});
