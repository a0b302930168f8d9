import { expect } from 'vitest';
import { z } from 'zod';
import {
  ConflictError,
  createDurably,
  defineJob,
  NotFoundError,
  ValidationError,
} from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { rejectionOf, untilStatus } from '../../support/runs.ts';

contract('register', (test) => {
  test('returns handles by key and adds them to durably.jobs', async ({ world }) => {
    const { durably } = await world.instance();
    const other = job('other', () => 1);
    const handles = durably.register({ mine: echo, other });
    expect(Object.keys(handles)).toEqual(['mine', 'other']);
    expect(durably.jobs.mine).toBe(handles.mine);
    expect(durably.jobs.other).toBe(handles.other);
    expect(durably.getJob('echo')).toBe(handles.mine);
    expect(handles.mine.name).toBe('echo');
    expect(durably.getJob('mine')).toBeUndefined();
  });

  test('returns the same handle for the same definition', async ({ world }) => {
    const { durably } = await world.instance();
    const { echo: first } = durably.register({ echo });
    const { again } = durably.register({ again: echo });
    expect(again).toBe(first);
    expect(durably.jobs.again).toBe(first);
  });

  test('throws and registers nothing if a name has another definition', async ({ world }) => {
    const { durably } = await world.instance();
    const handle = durably.register({ echo }).echo;
    const fresh = job('fresh', () => 1);
    expect(() => durably.register({ fresh, impostor: job('echo', () => 2) })).toThrow(ConflictError);
    expect(() => durably.register({ fresh, impostor: job('echo', () => 2) })).toThrow(/"echo"/);
    expect(durably.getJob('fresh')).toBeUndefined();
    expect(Object.keys(durably.jobs)).toEqual(['echo']);
    expect(durably.getJob('echo')).toBe(handle);
  });

  test('throws if one call has two definitions with one name', async ({ world }) => {
    const { durably } = await world.instance();
    expect(() => durably.register({ a: job('same', () => 1), b: job('same', () => 2) })).toThrow(
      ConflictError,
    );
    expect(durably.getJob('same')).toBeUndefined();
  });

  test('refuses values that are not definitions, and registers nothing', async ({ world }) => {
    const { durably } = await world.instance();
    const broken = { name: 'broken', input: {}, run: () => 1 } as never;
    expect(() => durably.register({ echo, broken })).toThrow(ValidationError);
    expect(durably.getJob('echo')).toBeUndefined();
  });

  test('works after init, and pending runs of the job are then claimed', async ({ world }) => {
    const { durably: other } = await world.idle();
    const run = await other.register({ echo }).echo.trigger('waiting');
    // The polling interval is too long to find the run by a poll.
    const { durably } = await world.start({ pollingInterval: 1_000_000 });
    durably.register({ echo });
    await untilStatus(durably, run.id, 'completed');
  });

  test('is done at once for the jobs given to createDurably', async ({ world }) => {
    const { dialect } = await world.open();
    const durably = createDurably({ dialect, jobs: { echo } });
    await durably.migrate();
    expect(durably.jobs.echo).toBe(durably.getJob('echo'));
    expect((await durably.jobs.echo.trigger('x')).jobName).toBe('echo');
  });

  test('lets a run be triggered by the name of its job', async ({ world }) => {
    const { durably } = await world.idle();
    durably.register({ echo });
    const run = await durably.trigger({ jobName: 'echo', input: 1, idempotencyKey: 'key' });
    expect(run).toMatchObject({ jobName: 'echo', payload: 1, idempotencyKey: 'key' });
    const error = await rejectionOf(durably.trigger({ jobName: 'nobody', input: 1 }));
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error.message).toBe('Job not found: nobody');
  });

  test('accepts a job name that is also a property of Object.prototype', async ({ world }) => {
    const { durably } = await world.start();
    const { proto } = durably.register({
      proto: job('__proto__', () => 1),
      tricky: job('constructor', () => 2),
    });
    expect(await proto.triggerAndWait(1)).toMatchObject({ output: 1 });
    expect(durably.getJob('toString')).toBeUndefined();
    expect(await durably.getJob('constructor')?.triggerAndWait(1)).toMatchObject({ output: 2 });
  });
});

contract('defineJob', (test) => {
  const define = (changes: Record<string, unknown>) => () =>
    defineJob({ name: 'fine', input: z.unknown(), run: () => 1, ...changes } as never);

  test.for([
    ['an empty name', { name: '' }, /name/],
    ['a name that is no text', { name: 7 }, /name/],
    ['a name with a lone surrogate', { name: 'a\ud800b' }, /lone surrogate/],
    ['a name with a NUL', { name: 'a\0b' }, /NUL/],
    ['an input that is no schema', { input: { parse: 1 } }, /input/],
    ['no input', { input: undefined }, /input/],
    ['an output that is no schema', { output: 'string' }, /output/],
    ['no run', { run: undefined }, /run/],
  ] as const)('refuses %s', ([, changes, message]) => {
    expect(define(changes)).toThrow(ValidationError);
    expect(define(changes)).toThrow(message);
  });

  test("makes definitions that several instances can use and that can't be changed", async ({ world }) => {
    const definition = job('shared', () => 'ran');
    expect(Object.isFrozen(definition)).toBe(true);
    const { durably } = await world.start();
    const { durably: other } = await world.start({ pollingInterval: 5 });
    other.register({ definition });
    expect(await durably.register({ definition }).definition.triggerAndWait(0)).toMatchObject({
      output: 'ran',
    });
  });
});
