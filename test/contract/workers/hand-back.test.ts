import { expect } from 'vitest';
import { LeaseLostError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import {
  ageHeartbeat,
  journalTypes,
  nextEvent,
  recordEvents,
  rejectionOf,
  startRun,
  untilStatus,
} from '../../support/runs.ts';
import { deferred } from '../../support/until.ts';

contract('stop with a timeout', (test) => {
  test('hands a run back, and another instance continues the attempt at once', async ({ world }) => {
    const first = await world.start();
    const second = await world.start({ pollingInterval: 5 });
    const calls: string[] = [];
    const define = (where: string, wait: Promise<void>) =>
      job('held', async (step) => {
        await step.run('one', () => void calls.push(`${where} one`));
        await step.run('two', async () => {
          calls.push(`${where} two`);
          await wait;
        });
      });
    const { held } = first.durably.register({ held: define('first', new Promise(() => undefined)) });
    const atTwo = nextEvent(first.durably, 'step:complete');
    const run = await held.trigger(1);
    await atTwo;
    await first.durably.stop({ timeoutMs: 1 });
    second.durably.register({ held: define('second', Promise.resolve()) });
    const done = await untilStatus(second.durably, run.id, 'completed');
    expect(done.attempt).toBe(1);
    expect(calls).toEqual(['first one', 'first two', 'second two']);
    const claims = (await journalTypes(second.durably, run.id)).filter((type) =>
      /^run:(start|resume)$/.test(type),
    );
    expect(claims).toEqual(['run:start', 'run:resume']);
  });

  test('resolves even if the job never ends, and leaves its run pending without an event', async ({
    world,
  }) => {
    const { durably } = await world.start();
    const { held } = durably.register({ held: job('held', () => new Promise(() => undefined)) });
    const run = await startRun(durably, held, 1);
    const events = recordEvents(durably);
    await durably.stop({ timeoutMs: 1 });
    expect(await durably.getRun(run.id)).toMatchObject({
      status: 'pending',
      attempt: 1,
      heartbeatAt: null,
      error: null,
      completedAt: null,
    });
    expect(events).toEqual([]);
    expect(await journalTypes(durably, run.id)).toEqual(['run:trigger', 'run:start']);
  });

  test("aborts the steps' signals and refuses later writes", async ({ world }) => {
    const { durably } = await world.start();
    const late = deferred<unknown>();
    let reason: unknown;
    const { held } = durably.register({
      held: job('held', async (step) => {
        const aborted = await rejectionOf(
          step.run('wait', (signal) => {
            return new Promise((_, reject) => {
              signal.addEventListener('abort', () => {
                reason = signal.reason;
                reject(new Error('stopped by the signal'));
              });
            });
          }),
        );
        expect(step.signal.aborted).toBe(true);
        late.resolve([aborted, await rejectionOf(step.run('next', () => 1))]);
      }),
    });
    const run = await startRun(durably, held, 1);
    await durably.stop({ timeoutMs: 1 });
    expect(await late.promise).toEqual([expect.any(LeaseLostError), expect.any(LeaseLostError)]);
    expect(reason).toBeInstanceOf(LeaseLostError);
    expect(await durably.getSteps(run.id)).toEqual([]);
  });

  test('stores the log lines written so far', async ({ world }) => {
    const { durably } = await world.start();
    const { held } = durably.register({
      held: job('held', async (step) => {
        for (let i = 0; i < 450; i++) step.log.info(`line ${i}`);
        step.progress(3);
        await new Promise(() => undefined);
      }),
    });
    const run = await startRun(durably, held, 1);
    await durably.stop({ timeoutMs: 0 });
    expect(await durably.getLogs({ runId: run.id, limit: 1000 })).toHaveLength(450);
    expect((await durably.getRun(run.id))?.progress).toEqual({ current: 3 });
  });

  test('does not hand back a run that ends in time', async ({ world }) => {
    const { durably } = await world.start();
    const gate = deferred();
    const { held } = durably.register({ held: job('held', () => gate.promise) });
    const run = await startRun(durably, held, 1);
    const stopped = durably.stop({ timeoutMs: 10_000 });
    gate.resolve();
    await stopped;
    expect((await durably.getRun(run.id))?.status).toBe('completed');
  });

  test('is shortened by a second stop with a smaller timeout', async ({ world }) => {
    const { durably } = await world.start();
    const { held } = durably.register({ held: job('held', () => new Promise(() => undefined)) });
    const run = await startRun(durably, held, 1);
    const patient = durably.stop();
    await durably.stop({ timeoutMs: 1 });
    await patient;
    expect((await durably.getRun(run.id))?.status).toBe('pending');
  });

  test('does not count as losing a worker', async ({ world }) => {
    const { durably } = await world.start();
    let waits = true;
    const { held } = durably.register({
      held: job('held', () => (waits ? new Promise(() => undefined) : 'done')),
    });
    let started: Promise<unknown> = nextEvent(durably, 'run:start');
    const run = await held.trigger(1);
    for (let i = 0; i < 12; i++) {
      await started;
      await durably.stop({ timeoutMs: 0 });
      started = nextEvent(durably, 'run:resume');
      if (i === 11) waits = false;
      durably.start();
    }
    const done = await untilStatus(durably, run.id, 'completed');
    expect(done).toMatchObject({ attempt: 1, output: 'done' });
    const row = await durably.db.selectFrom('durably_runs').select('lost_count').executeTakeFirstOrThrow();
    expect(row.lost_count).toBe(0);
  });

  test('does not hand back a run that another process has cancelled', async ({ world }) => {
    const { durably } = await world.start();
    const other = await world.idle();
    const { held } = durably.register({ held: job('held', () => new Promise(() => undefined)) });
    const run = await startRun(durably, held, 1);
    await other.durably.cancel(run.id);
    await durably.stop({ timeoutMs: 1 });
    expect((await other.durably.getRun(run.id))?.status).toBe('cancelled');
    expect(await journalTypes(other.durably, run.id)).toEqual(['run:trigger', 'run:start', 'run:cancel']);
  });

  test('does not hand back a run that another worker has taken over', async ({ world }) => {
    const { durably } = await world.start();
    const other = await world.instance({ pollingInterval: 5 });
    const gate = deferred();
    const { held } = durably.register({ held: job('held', () => new Promise(() => undefined)) });
    other.durably.register({ held: job('held', () => gate.promise) });
    const run = await startRun(durably, held, 1);
    await ageHeartbeat(durably, run.id, 30_001);
    const takenOver = nextEvent(other.durably, 'run:start');
    await other.durably.init();
    await takenOver;
    await durably.stop({ timeoutMs: 1 });
    expect(await other.durably.getRun(run.id)).toMatchObject({ status: 'running', attempt: 2 });
    gate.resolve();
    expect(await untilStatus(other.durably, run.id, 'completed')).toMatchObject({ attempt: 2 });
  });

  test('is not undone by init during the stop', async ({ world }) => {
    const { durably } = await world.start();
    const gate = deferred();
    const { held } = durably.register({ held: job('held', () => gate.promise), echo });
    await startRun(durably, held, 1);
    const stopped = durably.stop();
    await durably.init();
    gate.resolve();
    await stopped;
    expect((await durably.health()).worker).toBe(false);
  });
});
