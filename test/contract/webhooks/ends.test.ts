import { expect } from 'vitest';
import type { Durably } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { echo, job } from '../../support/jobs.ts';
import { receiver } from '../../support/net/receiver.ts';
import { untilStatus } from '../../support/runs.ts';
import { until } from '../../support/until.ts';

const DELIVERIES = { jobName: 'durably:webhook' };

const jobs = {
  echo,
  fails: job('fails', () => {
    throw new Error('no paper');
  }),
  parent: job('parent', (step) => step.invoke('child', 'child', 1)),
  child: job('child', (step) => step.waitForSignal('never')),
};

/** Waits until all deliveries have ended. */
async function untilDelivered(durably: Durably, count: number): Promise<void> {
  await until(async () => {
    const runs = await durably.getRuns(DELIVERIES);
    return runs.length >= count && runs.every(({ status }) => status === 'completed');
  }, `${count} deliveries`);
}

contract('webhooks tell', (test) => {
  test('how a run ended, with the run as callers see it', async ({ world }) => {
    const { received, webhooks, of } = await receiver();
    const { durably } = await world.start({ webhooks: webhooks() });
    durably.register(jobs);
    const done = await durably.trigger({ jobName: 'echo', input: { a: 1 }, labels: { tenant: 'x' } });
    const failed = await durably.trigger({ jobName: 'fails', input: null });
    await untilStatus(durably, failed.id, 'failed');
    await untilDelivered(durably, 2);
    expect(received).toHaveLength(2);
    const run = await untilStatus(durably, done.id, 'completed');
    expect(of(done.id)).toMatchObject([
      {
        path: '/hooks',
        headers: {
          'content-type': 'application/json',
          'webhook-id': expect.stringMatching(/^msg_[0-9a-f]{24}$/),
        },
        body: { type: 'run.completed', timestamp: run.completedAt, data: { ...run, omitted: [] } },
      },
    ]);
    const seen = await durably.getRun(failed.id);
    expect(of(failed.id)).toMatchObject([{ body: { type: 'run.failed', data: { ...seen, omitted: [] } } }]);
  });

  test('of each way in which callers cancel runs: one, many, and those below', async ({ world }) => {
    const { received, webhooks } = await receiver();
    const { durably } = await world.start({ webhooks: webhooks(), maxConcurrentRuns: 2 });
    durably.register(jobs);
    const one = await durably.trigger({ jobName: 'echo', input: 1, delay: '1h' });
    await durably.cancel(one.id);
    const many = await Promise.all(
      [1, 2].map((input) => durably.trigger({ jobName: 'echo', input, delay: '1h', labels: { g: 'many' } })),
    );
    expect(await durably.cancelRuns({ labels: { g: 'many' } })).toMatchObject({ count: 2 });
    const parent = await durably.trigger({ jobName: 'parent', input: 1 });
    const child = await until(async () => {
      const [run] = await durably.getRuns({ parentRunId: parent.id });
      return run?.status === 'waiting' ? run : undefined;
    });
    await durably.cancel(parent.id);
    await untilDelivered(durably, 5);
    const ids = [one, ...many, parent, child].map(({ id }) => id);
    expect(received.map(({ body }) => [body.type, body.data.id]).toSorted()).toEqual(
      ids.map((id) => ['run.cancelled', id]).toSorted(),
    );
  });

  test('of runs that a claim ends: their time was up, or their workers were lost', async ({ world }) => {
    const { received, webhooks } = await receiver();
    const tools = await world.tools();
    const { durably: caller } = await world.idle({ webhooks: webhooks() });
    caller.register(jobs);
    const late = await caller.trigger({ jobName: 'echo', input: 1, ttl: '1h' });
    await tools.ageDeadline(late.id, 3_600_001);
    const lost = await caller.trigger({ jobName: 'echo', input: 2 });
    await caller.db
      .updateTable('durably_runs')
      .set({ status: 'running', heartbeat_at: 1, lost_count: 9, claim_kind: 'start', attempt: 9 })
      .where('id', '=', lost.id)
      .execute();
    const { durably } = await world.start({ webhooks: webhooks() });
    durably.register(jobs);
    await untilDelivered(durably, 2);
    expect(received.map(({ body }) => [body.type, body.data.id, body.data.error]).toSorted()).toEqual(
      [
        ['run.failed', late.id, 'not started within 1h'],
        ['run.failed', lost.id, 'worker lost 10 times'],
      ].toSorted(),
    );
  });

  test('only of the events and jobs that they ask for', async ({ world }) => {
    const { received, webhooks } = await receiver();
    const { durably } = await world.start({
      webhooks: webhooks({ events: ['run.completed'], jobs: ['echo'] }),
    });
    durably.register({ ...jobs, other: job('other', () => 1) });
    const done = await durably.batchTrigger([
      { jobName: 'echo', input: 1 },
      { jobName: 'other', input: 1 },
    ]);
    const cancelled = await durably.trigger({ jobName: 'echo', input: 2, delay: '1h' });
    await durably.cancel(cancelled.id);
    for (const { id } of done) await untilStatus(durably, id, 'completed');
    await untilDelivered(durably, 1);
    expect(received.map(({ body }) => body.data.id)).toEqual([done[0]?.id]);
    expect(await durably.getRuns(DELIVERIES)).toHaveLength(1);
  });

  test('nothing of what the database did not store', async ({ world }) => {
    const { received, webhooks } = await receiver();
    const { durably } = await world.start({ webhooks: webhooks() });
    durably.register(jobs);
    const boom = new Error('rolled back');
    await expect(
      durably.db.transaction().execute(async (trx) => {
        const { id } = await durably.trigger({ jobName: 'echo', input: 1, trx });
        await trx
          .updateTable('durably_runs')
          .set({ status: 'cancelled', completed_at: 1 })
          .where('id', '=', id)
          .execute();
        throw boom;
      }),
    ).rejects.toBe(boom);
    const { id } = await durably.trigger({ jobName: 'echo', input: 2 });
    await untilStatus(durably, id, 'completed');
    await untilDelivered(durably, 1);
    expect(received.map(({ body }) => body.data.id)).toEqual([id]);
  });

  test('what is left of a run that was retried, or deleted, before it was delivered', async ({ world }) => {
    const { webhooks, of } = await receiver();
    const clock = new FakeClock();
    const { durably } = await world.idle({ webhooks: webhooks(), clock });
    durably.register(jobs);
    const retried = await durably.trigger({ jobName: 'echo', input: 1, delay: '1h' });
    const deleted = await durably.trigger({ jobName: 'echo', input: 2, delay: '1h' });
    for (const { id } of [retried, deleted]) await durably.cancel(id);
    await durably.retry(retried.id);
    await durably.pauseJob('echo');
    await durably.deleteRun(deleted.id);
    await durably.processUntilIdle();
    for (const { id } of [retried, deleted]) {
      expect(of(id)).toMatchObject([
        {
          body: {
            type: 'run.cancelled',
            data: {
              jobName: 'echo',
              status: 'cancelled',
              isTerminal: true,
              completedAt: expect.any(String),
              payload: null,
              omitted: expect.arrayContaining(['payload', 'output', 'labels']),
            },
          },
        },
      ]);
    }
  });
});

contract('several processes with webhooks', (test) => {
  test('deliver each end once', async ({ world }) => {
    const { received, webhooks } = await receiver();
    const options = { webhooks: webhooks(), maxConcurrentRuns: 4, pollingInterval: 25 };
    const [one, other] = await Promise.all([world.start(options), world.start(options)]);
    for (const { durably } of [one, other]) durably.register(jobs);
    const runs = await one.durably.batchTrigger(
      Array.from({ length: 12 }, (_, input) => ({ jobName: 'echo', input })),
    );
    for (const { id } of runs) await untilStatus(other.durably, id, 'completed');
    await untilDelivered(one.durably, 12);
    expect(received.map(({ body }) => body.data.id).toSorted()).toEqual(runs.map(({ id }) => id).toSorted());
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(12);
  });

  test('need no webhooks of their own: any end is stored for those that have some', async ({ world }) => {
    const { received, webhooks } = await receiver();
    const { durably } = await world.idle({ webhooks: webhooks() });
    const { durably: without } = await world.start();
    without.register(jobs);
    const { id } = await without.trigger({ jobName: 'echo', input: 1 });
    await untilStatus(without, id, 'completed');
    expect(await without.getRuns(DELIVERIES)).toMatchObject([{ status: 'pending' }]);
    await durably.processUntilIdle();
    expect(received.map(({ body }) => body.data.id)).toEqual([id]);
  });

  test('have the webhooks of the one that was started last', async ({ world }) => {
    const [first, second] = [await receiver(), await receiver()];
    await world.idle({ webhooks: first.webhooks() });
    const { durably } = await world.start({ webhooks: second.webhooks() });
    durably.register(jobs);
    const { id } = await durably.trigger({ jobName: 'echo', input: 1 });
    await untilStatus(durably, id, 'completed');
    await untilDelivered(durably, 1);
    expect([first.received.length, second.received.length]).toEqual([0, 1]);
  });
});
