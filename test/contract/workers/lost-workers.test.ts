import { expect } from 'vitest';
import type { Durably } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { job } from '../../support/jobs.ts';
import { ageHeartbeat, untilEnded, untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';
import type { World } from '../../support/world.ts';

const STALE_MS = 30_001;

type Execute = Parameters<typeof job>[1];

/** Workers that take over a run one after another. Their clocks stand still, so they seem dead. */
async function vanishingWorkers(world: World, run: Execute = () => new Promise(() => undefined)) {
  const { durably } = await world.idle();
  const { task } = durably.register({ task: job('task', run) });
  const startWorker = async () => {
    const worker = await world.start({ clock: new FakeClock() });
    worker.durably.register({ task: job('task', run) });
    return worker.durably;
  };
  /** A new worker takes the run over. */
  const lose = async (runId: string) => {
    const before = await durably.getRun(runId);
    await ageHeartbeat(durably, runId, STALE_MS);
    await startWorker();
    return await until(async () => {
      const now = await durably.getRun(runId);
      return now && (now.status !== 'running' || now.attempt > (before?.attempt ?? 0)) ? now : null;
    }, 'the run to be taken over');
  };
  const start = async () => {
    const { id } = await task.trigger(0);
    await startWorker();
    await untilStatus(durably, id, 'running');
    return id;
  };
  return { durably, task, startWorker, lose, start };
}

async function loseTimes(times: number, lose: (runId: string) => Promise<{ status: string }>, runId: string) {
  for (let i = 0; i < times; i++) {
    expect((await lose(runId)).status).toBe('running');
    await idle();
  }
}

const journalled = (durably: Durably, runId: string) =>
  durably.db
    .selectFrom('durably_journal')
    .select(['type', 'message', 'attempt'])
    .where('run_id', '=', runId)
    .orderBy('sequence')
    .execute();

contract('lost workers', (test) => {
  test('a run that lost its worker ten times in a row fails', async ({ world }) => {
    const { durably, lose, start } = await vanishingWorkers(world);
    const id = await start();
    await loseTimes(9, lose, id);
    await ageHeartbeat(durably, id, STALE_MS);
    const { durably: last } = await world.instance();
    last.register({ task: job('task', () => 'too late') });
    const ended = untilEnded(last, id);
    await last.init();
    const run = await untilStatus(durably, id, 'failed');
    expect(run).toMatchObject({ status: 'failed', error: 'worker lost 10 times' });
    expect(run.completedAt).not.toBeNull();
    expect(await ended).toMatchObject({
      type: 'run:fail',
      error: 'worker lost 10 times',
      failedStepName: 'unknown',
    });
    const rows = await journalled(durably, id);
    expect(rows.at(-1)).toMatchObject({ type: 'run:fail', message: 'worker lost 10 times' });
    expect(rows.filter(({ type }) => type === 'run:start')).toHaveLength(10);
  });

  test('a newly stored step resets the count', async ({ world }) => {
    let attempt = 0;
    const { lose, start, durably } = await vanishingWorkers(world, async (step) => {
      if (++attempt === 9) await step.run('progress at last', () => 1);
      await new Promise(() => undefined);
    });
    const id = await start();
    await loseTimes(8, lose, id);
    await until(async () => (await durably.getSteps(id)).length === 1);
    await loseTimes(9, lose, id);
    expect((await lose(id)).error).toBe('worker lost 10 times');
  });

  test('a replayed step does not reset the count', async ({ world }) => {
    const { durably, lose, start } = await vanishingWorkers(world, async (step) => {
      await step.run('once', () => 1);
      await new Promise(() => undefined);
    });
    const id = await start();
    await until(async () => (await durably.getSteps(id)).length === 1);
    await loseTimes(9, lose, id);
    expect((await lose(id)).status).toBe('failed');
  });

  test('a step that fails on each attempt does not reset the count', async ({ world }) => {
    const { durably, lose, start } = await vanishingWorkers(world, async (step) => {
      await step.run('optional', () => Promise.reject(new Error('no'))).catch(() => undefined);
      await new Promise(() => undefined);
    });
    const id = await start();
    const failures = async () =>
      (await journalled(durably, id)).filter(({ type }) => type === 'step:fail').length;
    for (let i = 0; i < 9; i++) {
      await until(async () => (await failures()) === i + 1);
      await loseTimes(1, lose, id);
    }
    await until(async () => (await failures()) === 10);
    expect((await lose(id)).error).toBe('worker lost 10 times');
  });

  test('a retry resets the count', async ({ world }) => {
    const { durably, startWorker, lose, start } = await vanishingWorkers(world);
    const id = await start();
    await loseTimes(9, lose, id);
    expect((await lose(id)).status).toBe('failed');
    await durably.retry(id);
    await startWorker();
    await untilStatus(durably, id, 'running');
    await loseTimes(9, lose, id);
    expect((await lose(id)).status).toBe('failed');
  });

  test('a run that fails this way frees its concurrency key', async ({ world }) => {
    const { durably, task, startWorker, lose } = await vanishingWorkers(world, (_, input) =>
      input === 'hangs' ? new Promise(() => undefined) : 1,
    );
    const hangs = await task.trigger('hangs', { concurrencyKey: 'k' });
    const next = await task.trigger('next', { concurrencyKey: 'k' });
    await startWorker();
    await untilStatus(durably, hangs.id, 'running');
    await loseTimes(9, lose, hangs.id);
    expect((await lose(hangs.id)).status).toBe('failed');
    await startWorker();
    await untilStatus(durably, next.id, 'completed');
  });

  test('a worker executes one suspect at a time, also among handed-back runs', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5, maxConcurrentRuns: 10 });
    const gate = deferred();
    const { task } = durably.register({
      task: job('task', (_, input) => (input === 'first' ? gate.promise : input)),
    });
    await durably.stop();
    const first = await task.trigger('first');
    const second = await task.trigger('second');
    await durably.cancel(second.id);
    const makeSuspect = ({ id }: { id: string }) =>
      durably.db.updateTable('durably_runs').set({ lost_count: 3, status: 'pending' }).where('id', '=', id);
    await makeSuspect(first).execute();
    durably.start();
    await untilStatus(durably, first.id, 'running');
    await makeSuspect(second).execute();
    // The worker claims repeatedly, and takes other runs too.
    for (let i = 0; i < 3; i++)
      await untilStatus(durably, (await task.trigger(`other ${i}`)).id, 'completed');
    expect(await durably.getRun(second.id)).toMatchObject({ status: 'pending', attempt: 0 });
    gate.resolve();
    await untilStatus(durably, second.id, 'completed');
  });

  test('a worker takes over one stale suspect at a time', async ({ world }) => {
    const { durably } = await world.idle({ pollingInterval: 5, maxConcurrentRuns: 10 });
    const gate = deferred();
    const { task } = durably.register({
      task: job('task', (_, input) => (input === 'first' ? gate.promise : input)),
    });
    const first = await task.trigger('first');
    const second = await task.trigger('second');
    await durably.db
      .updateTable('durably_runs')
      .set({ status: 'running', attempt: 3, lost_count: 3, heartbeat_at: 1 })
      .execute();
    durably.start();
    // The worker claims repeatedly, and takes other runs too.
    for (let i = 0; i < 3; i++)
      await untilStatus(durably, (await task.trigger(`other ${i}`)).id, 'completed');
    expect(await durably.getRun(first.id)).toMatchObject({ status: 'running', attempt: 4 });
    expect(await durably.getRun(second.id)).toMatchObject({ status: 'running', attempt: 3 });
    gate.resolve();
    await untilStatus(durably, first.id, 'completed');
    expect(await untilStatus(durably, second.id, 'completed')).toMatchObject({ attempt: 4 });
  });
});
