import { expect } from 'vitest';
import { ConflictError, NotFoundError, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { journalTypes, nextEvent, recordEvents, rejectionOf, untilStatus } from '../../support/runs.ts';

const HOUR_MS = 3_600_000;

contract('reschedule', (test) => {
  test('puts a pending run off, and tells the new time', async ({ world }) => {
    const { durably } = await world.idle();
    const { id } = await durably.register({ echo }).echo.trigger(1);
    const events = recordEvents(durably, ['run:reschedule']);
    const runAt = new Date(Date.now() + HOUR_MS).toISOString();
    await durably.reschedule(id, { runAt });
    expect(await durably.getRun(id)).toMatchObject({
      status: 'waiting',
      waits: [{ kind: 'delay', stepName: null, until: runAt }],
    });
    expect(events).toMatchObject([{ type: 'run:reschedule', runId: id, jobName: 'echo', runAt }]);
    expect(await journalTypes(durably, id)).toEqual(['run:trigger', 'run:reschedule']);
    const reader = durably.subscribe(id).getReader();
    await reader.read();
    expect(await reader.read()).toMatchObject({ value: { type: 'run:reschedule', runAt } });
    await reader.cancel();
  });

  test('moves a waiting run, and keeps its place in the order', async ({ world }) => {
    const { durably } = await world.idle();
    const { echo: handle } = durably.register({ echo });
    const { id } = await handle.trigger(1, { delay: '1h' });
    const second = await handle.trigger(2);
    await durably.reschedule(id, { delay: '2h' });
    const [wait] = (await durably.getRun(id))?.waits ?? [];
    expect(Date.parse(wait?.until ?? '')).toBeGreaterThan(Date.now() + 1.5 * HOUR_MS);
    await durably.reschedule(id, { delay: 0 });
    expect(await durably.getRun(id)).toMatchObject({ status: 'pending', waits: [] });
    const started = recordEvents(durably, ['run:start']);
    await durably.processUntilIdle();
    expect(started.map((event) => 'runId' in event && event.runId)).toEqual([id, second.id]);
  });

  test('wakes the worker for a run that is due now or soon', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: HOUR_MS });
    const { echo: handle } = durably.register({ echo });
    for (const time of [{ delay: 0 }, { runAt: new Date(0) }, { delay: 30 }]) {
      const { id } = await handle.trigger(1, { delay: '1h' });
      await durably.reschedule(id, time);
      await untilStatus(durably, id, 'completed');
    }
  });

  test('counts the ttl from the new time', async ({ world }) => {
    const { durably } = await world.idle();
    const tools = await world.tools();
    const { id } = await durably.register({ echo }).echo.trigger(1, { ttl: '1h' });
    await durably.reschedule(id, { delay: '3h' });
    // By its first time it would have expired.
    await tools.ageDeadline(id, 3.5 * HOUR_MS);
    await tools.ageDue(id, 3.5 * HOUR_MS);
    await durably.processUntilIdle();
    await untilStatus(durably, id, 'completed');
    const other = await durably.jobs.echo?.trigger(1, { ttl: '1h', delay: '5h' });
    await durably.reschedule(other?.id ?? '', { delay: 0 });
    await tools.ageDeadline(other?.id ?? '', HOUR_MS);
    await durably.processUntilIdle();
    expect(await durably.getRun(other?.id ?? '')).toMatchObject({
      status: 'failed',
      error: 'not started within 1h',
    });
  });

  test('gives the turn at a concurrency key to the next run', async ({ world }) => {
    const { durably } = await world.idle();
    const { echo: handle } = durably.register({ echo });
    const first = await handle.trigger(1, { concurrencyKey: 'k' });
    const second = await handle.trigger(2, { concurrencyKey: 'k' });
    await durably.reschedule(first.id, { delay: '1h' });
    await durably.processUntilIdle();
    expect(await durably.getRun(second.id)).toMatchObject({ status: 'completed' });
    expect(await durably.getRun(first.id)).toMatchObject({ status: 'waiting' });
  });

  test('refuses a run that has started, or is over', async ({ world }) => {
    const { durably } = await world.start();
    durably.register({
      echo,
      sleeps: job('sleeps', async (step) => await step.sleep('rest', '1h')),
    });
    const sleeping = nextEvent(durably, 'run:wait');
    const run = await durably.trigger({ jobName: 'sleeps', input: 1 });
    await sleeping;
    const before = await durably.getRun(run.id);
    const error = await rejectionOf(durably.reschedule(run.id, { delay: 0 }));
    expect(error).toBeInstanceOf(ConflictError);
    expect(error.message).toBe('Cannot reschedule a waiting run that has started');
    expect(await durably.getRun(run.id)).toEqual(before);
    const ended = await durably.trigger({ jobName: 'echo', input: 1 });
    await untilStatus(durably, ended.id, 'completed');
    expect((await rejectionOf(durably.reschedule(ended.id, { delay: 0 }))).message).toBe(
      'Cannot reschedule a completed run',
    );
    expect(await rejectionOf(durably.reschedule('unknown', { delay: 0 }))).toBeInstanceOf(NotFoundError);
  });

  test.for([
    [{}, 'runAt or delay must be given'],
    [undefined, 'runAt or delay must be given'],
    [{ delay: 1, runAt: new Date() }, 'delay 1 does not go with runAt 2'],
    [{ delay: 'soon' }, /delay must be a duration.*not "soon"/],
    [{ runAt: 'tomorrow' }, /runAt must be a Date.*not "tomorrow"/],
    [{ at: 1 }, /Unknown reschedule option "at"/],
  ] as const)('refuses %j', async ([options, message], { world }) => {
    const { durably } = await world.idle();
    const { id } = await durably.register({ echo }).echo.trigger(1);
    const error = await rejectionOf(durably.reschedule(id, options as never));
    expect(error).toBeInstanceOf(ValidationError);
    expect(error.message).toMatch(message);
    expect(await durably.getRun(id)).toMatchObject({ status: 'pending' });
  });
});
