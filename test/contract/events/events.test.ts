import { expect, vi } from 'vitest';
import { EVENT_TYPES, type JournalEvent } from '../../../src/core/events.ts';
import { type Durably, type DurablyEvent, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { ISO_MS, nextEvent, readAll, recordEvents, rejectionOf, untilStatus } from '../../support/runs.ts';
import type { World } from '../../support/world.ts';

/** A run that causes every kind of event, and all events that were received. */
async function everything(world: World): Promise<{ durably: Durably; heard: DurablyEvent[]; runId: string }> {
  const { durably } = await world.start();
  const heard = recordEvents(durably);
  let isBroken = true;
  const { full } = durably.register({
    full: job('full', async (step) => {
      step.progress(1, 3, 'begun');
      await step.run('kept', () => {
        step.log.warn('within', { a: 1 });
        return { kept: true };
      });
      await step.run('flaky', () => {
        if (isBroken) throw new Error('broken');
      });
      return 'output';
    }),
  });
  const { id } = await full.trigger({ some: 'payload' });
  await untilStatus(durably, id, 'failed');
  isBroken = false;
  await durably.retry(id);
  await untilStatus(durably, id, 'completed');
  await durably.stop();
  const other = await full.trigger(0);
  await durably.cancel(other.id);
  await durably.deleteRun(other.id);
  return { durably, heard, runId: id };
}

contract('events', (test) => {
  test('have the documented shapes', async ({ world }) => {
    const { heard, runId } = await everything(world);
    const base = {
      timestamp: expect.stringMatching(ISO_MS),
      sequence: expect.any(Number),
      runId,
      jobName: 'full',
    };
    const other = { ...base, runId: expect.not.stringMatching(runId) };
    const duration = expect.any(Number);
    const kept = { ...base, stepName: 'kept', stepIndex: 0 };
    const flaky = { ...base, stepName: 'flaky', stepIndex: 1 };
    const payload = { some: 'payload' };
    const errorDetail = { name: 'Error', message: 'broken', stack: expect.any(String), stepName: 'flaky' };
    expect(heard).toStrictEqual([
      { ...base, type: 'run:trigger' },
      { ...base, type: 'run:start', payload, attempt: 1 },
      { ...base, type: 'run:progress', progress: { current: 1, total: 3, message: 'begun' } },
      { ...kept, type: 'step:start' },
      { ...base, type: 'log:write', stepName: 'kept', level: 'warn', message: 'within', data: { a: 1 } },
      { ...kept, type: 'step:complete', output: { kept: true }, duration },
      { ...flaky, type: 'step:start' },
      { ...flaky, type: 'step:fail', error: 'broken', errorDetail },
      { ...base, type: 'run:fail', error: 'broken', errorDetail, failedStepName: 'flaky' },
      { ...base, type: 'run:retry' },
      { ...base, type: 'run:start', payload, attempt: 2 },
      { ...base, type: 'run:progress', progress: { current: 1, total: 3, message: 'begun' } },
      { ...flaky, type: 'step:start' },
      { ...flaky, type: 'step:complete', output: null, duration },
      { ...base, type: 'run:complete', output: 'output', duration },
      { ...other, type: 'run:trigger' },
      { ...other, type: 'run:cancel' },
      { ...other, type: 'run:delete' },
    ]);
    const missing = EVENT_TYPES.filter((type) => !heard.some((event) => event.type === type));
    // test/contract/workers/hand-back, test/contract/executing and test/contract/runs cover the others.
    expect(missing).toEqual([
      'run:resume',
      'run:wait',
      'run:signal',
      'run:reschedule',
      'step:retry',
      'run:emit',
      'worker:error',
    ]);
  });

  test('have rising sequences', async ({ world }) => {
    const { heard } = await everything(world);
    for (const [i, { sequence }] of heard.entries()) {
      if (i > 0) expect(sequence).toBeGreaterThan(heard[i - 1]?.sequence ?? 0);
    }
  });

  test('agree with the journal, except for sequence, time and rounding', async ({ world }) => {
    const { durably, heard, runId } = await everything(world);
    const streamed = (await readAll(durably.subscribe(runId))) as JournalEvent[];
    const comparable = (events: readonly DurablyEvent[]) =>
      events
        .filter((event) => 'runId' in event && event.runId === runId)
        .map(({ sequence, timestamp, ...event }) =>
          'duration' in event ? { ...event, duration: 0 } : event,
        );
    expect(comparable(heard)).toEqual(comparable(streamed));
  });

  test('are emitted after the commit', async ({ world }) => {
    const { durably } = await world.start();
    const { durably: other } = await world.idle();
    const seen: Promise<unknown>[] = [];
    durably.on('run:complete', ({ runId }) => seen.push(other.getRun(runId).then((run) => run?.status)));
    durably.on('step:complete', ({ runId }) =>
      seen.push(other.getSteps(runId).then((steps) => steps.length)),
    );
    durably.on('run:trigger', ({ runId }) => seen.push(other.getRun(runId).then((run) => run?.jobName)));
    const { one } = durably.register({ one: job('one', (step) => step.run('s', () => 1)) });
    await one.triggerAndWait(0);
    expect(await Promise.all(seen)).toEqual(['one', 1, 'completed']);
  });

  test('are not emitted for changes by other processes, for reads or for refusals', async ({ world }) => {
    const { durably } = await world.idle();
    const heard = recordEvents(durably);
    const { durably: other } = await world.start();
    const { id } = await other.register({ echo }).echo.triggerAndWait(1);
    await durably.getRuns();
    await rejectionOf(durably.cancel(id));
    await readAll(durably.subscribe(id));
    await idle();
    expect(heard).toEqual([]);
  });

  test('stop for one handler when the function returned by on is called, also twice', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const heard: string[] = [];
    const listener = () => void heard.push('twice');
    const offs = [durably.on('run:trigger', listener), durably.on('run:trigger', listener)];
    durably.on('run:trigger', () => void heard.push('other'));
    await handle.trigger(1);
    expect(heard).toEqual(['twice', 'twice', 'other']);
    offs[0]?.();
    offs[0]?.();
    await handle.trigger(2);
    expect(heard.slice(3)).toEqual(['twice', 'other']);
    offs[1]?.();
    await handle.trigger(3);
    expect(heard.slice(5)).toEqual(['other']);
  });

  test('call handlers synchronously in the order they were added, and allow unsubscribing in a handler', async ({
    world,
  }) => {
    const { durably } = await world.idle();
    const heard: string[] = [];
    const off = durably.on('run:trigger', () => {
      heard.push('first');
      off();
    });
    durably.on('run:trigger', () => void heard.push('second'));
    const handle = durably.register({ echo }).echo;
    await handle.trigger(1);
    await handle.trigger(2);
    expect(heard).toEqual(['first', 'second', 'second']);
  });

  test('refuse an unknown type', async ({ world }) => {
    const { durably } = await world.instance();
    expect(() => durably.on('run:unheard' as never, () => undefined)).toThrow(ValidationError);
    expect(() => durably.on('run:unheard' as never, () => undefined)).toThrow(/run:unheard/);
  });
});

contract('onError', (test) => {
  test('receives what listeners throw and reject with, and affects no run', async ({ world }) => {
    const { durably } = await world.start();
    const heard: unknown[] = [];
    durably.onError((error, event) => heard.push([(error as Error).message, event.type]));
    for (const type of EVENT_TYPES) {
      durably.on(type, () => {
        throw new Error(`thrown at ${type}`);
      });
    }
    const rejecting: (event: unknown) => Promise<void> = async () => {
      throw new Error('rejected');
    };
    durably.on('run:complete', rejecting);
    const after = nextEvent(durably, 'run:complete');
    const { one } = durably.register({
      one: job('one', (step) => step.run('s', () => step.log.info('line'))),
    });
    const { id } = await one.triggerAndWait(0);
    await after;
    await idle();
    expect(await durably.getRun(id)).toMatchObject({ status: 'completed', error: null });
    const types = ['run:trigger', 'run:start', 'step:start', 'log:write', 'step:complete', 'run:complete'];
    expect(heard).toEqual([
      ...types.map((type) => [`thrown at ${type}`, type]),
      ['rejected', 'run:complete'],
    ]);
  });

  test('can be unsubscribed, and may itself throw', async ({ world }) => {
    const { durably } = await world.idle();
    const console = vi.spyOn(globalThis.console, 'error').mockImplementation(() => undefined);
    try {
      const handle = durably.register({ echo }).echo;
      durably.on('run:trigger', () => {
        throw new Error('thrown');
      });
      const heard: string[] = [];
      const offs = [
        durably.onError(() => {
          throw new Error('thrown by onError');
        }),
        durably.onError(() => heard.push('second')),
      ];
      await handle.trigger(1);
      expect(heard).toEqual(['second']);
      for (const off of offs) off();
      await handle.trigger(2);
      expect(heard).toEqual(['second']);
      // Without a listener the error goes to the console.
      expect(console).toHaveBeenCalledTimes(2);
    } finally {
      console.mockRestore();
    }
  });
});

contract('worker:error', (test) => {
  test('reports a failed claim, and the worker tries again', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.idle({ clock });
    durably.register({ echo });
    await durably.db.schema.alterTable('durably_runs').renameTo('hidden_runs').execute();
    const error = nextEvent(durably, 'worker:error');
    durably.start();
    expect(await error).toEqual({
      type: 'worker:error',
      timestamp: expect.stringMatching(ISO_MS),
      sequence: expect.any(Number),
      error: expect.stringContaining('durably_runs'),
      context: 'claim',
    });
    await durably.db.schema.alterTable('hidden_runs').renameTo('durably_runs').execute();
    const { durably: other } = await world.idle();
    const run = await other.register({ echo }).echo.trigger('later');
    await idle();
    clock.advance(1_000);
    await untilStatus(other, run.id, 'completed');
  });
});
