import { expect } from 'vitest';
import { type Durably, defineJob } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { receiver } from '../../support/net/receiver.ts';
import { readAll, rejectionOf, untilStatus } from '../../support/runs.ts';
import { until } from '../../support/until.ts';
import type { World } from '../../support/world.ts';

const JOB = 'durably:webhook';
const DAY_MS = 86_400_000;

/** A run that was delivered, and its delivery. */
async function delivered(world: World) {
  const { webhooks } = await receiver();
  const { durably } = await world.start({ webhooks: webhooks() });
  const { cursor } = await durably.openRunListFeed();
  const named = await durably.openRunListFeed({ jobNames: [JOB] });
  durably.register({ echo });
  const { id } = await durably.trigger({ jobName: 'echo', input: 'one' });
  const delivery = await until(async () => {
    const [run] = await durably.getRuns({ jobName: JOB });
    return run?.status === 'completed' ? run : undefined;
  });
  return { durably, id, delivery, cursor, named: named.cursor };
}

const idsOf = async (durably: Durably, filter = {}) => (await durably.getRuns(filter)).map(({ id }) => id);

contract('deliveries of webhooks', (test) => {
  test('are runs that only lists with the name of their job show', async ({ world }) => {
    const { durably, id, delivery } = await delivered(world);
    for (const filter of [
      {},
      { status: 'completed' },
      { createdAfter: new Date(0) },
      { q: 'one' },
      { q: delivery.id },
      { limit: 1_000 },
    ]) {
      expect(await idsOf(durably, filter), JSON.stringify(filter)).not.toContain(delivery.id);
    }
    expect(await idsOf(durably)).toEqual([id]);
    expect(await idsOf(durably, { jobName: ['echo', JOB] })).toEqual([delivery.id, id]);
    expect(await idsOf(durably, { jobName: JOB, q: delivery.id })).toEqual([delivery.id]);
    expect(delivery).toMatchObject({
      output: { status: 204 },
      payload: { event: 'run.completed', runId: id, jobName: 'echo', attempt: 1, url: null },
    });
    expect(await durably.getSteps(delivery.id)).toMatchObject([{ name: 'deliver', status: 'completed' }]);
  });

  test('are in no numbers, unless their job is named', async ({ world }) => {
    const { durably } = await delivered(world);
    expect((await durably.getOverview()).runs).toMatchObject({ completed: 1, pending: 0 });
    expect((await durably.getJobs()).map(({ name }) => name)).toEqual(['echo']);
    const stats = await durably.getStats({ since: '1h', bucket: '1m' });
    expect(stats.jobs.map(({ jobName }) => jobName)).toEqual(['echo']);
    expect(stats.total.completed).toBe(1);
    expect((await durably.getStats({ jobName: JOB })).total.completed).toBe(1);
    for (const { jobs } of await durably.getWorkers()) expect(jobs).not.toContain(JOB);
  });

  test('are in the stream of a run, and in that of all runs only if their job is named', async ({
    world,
  }) => {
    const { durably, id, delivery, cursor, named } = await delivered(world);
    const runsOf = async (from: typeof cursor) => {
      const runs = new Set<string>();
      for (let done = false; !done; ) {
        for (const { event } of (await from.next()) ?? []) {
          runs.add(event.runId);
          done = event.type === 'run:complete';
        }
      }
      return [...runs];
    };
    expect(await runsOf(cursor)).toEqual([id]);
    expect(await runsOf(named)).toEqual([delivery.id]);
    expect((await readAll(durably.subscribe(delivery.id))).at(-1)).toMatchObject({ type: 'run:complete' });
  });

  test('are not changed by commands for many runs, unless their job is named', async ({ world }) => {
    const { durably, delivery } = await delivered(world);
    expect(await durably.deleteRuns({ status: 'completed' })).toMatchObject({ count: 1 });
    expect(await durably.getRun(delivery.id)).not.toBeNull();
    expect(await durably.deleteRuns({ jobName: JOB })).toMatchObject({ count: 1 });
    expect(await durably.getRun(delivery.id)).toBeNull();
  });

  test('are made by nobody else: their job can be neither registered nor triggered', async ({ world }) => {
    const { durably, delivery } = await delivered(world);
    const own = { ...echo, name: JOB };
    const starter = defineJob({
      name: 'starter',
      input: echo.input,
      run: (step, how) => step.trigger('start', how === 'name' ? JOB : (own as never), {}),
    });
    durably.register({ starter });
    expect(() => defineJob(own as never)).toThrow('Job name "durably:webhook" is reserved for webhooks');
    expect(() => durably.register({ own })).toThrow('reserved');
    const calls = {
      trigger: () => durably.trigger({ jobName: JOB, input: delivery.payload }),
      batch: () => durably.batchTrigger([{ jobName: JOB, input: delivery.payload }]),
      retrigger: () => durably.retrigger(delivery.id),
      fork: () => durably.fork(delivery.id, { from: 'deliver' }),
      schedule: () => durably.schedule({ id: 's', jobName: JOB, every: '1m' } as never),
    };
    for (const [name, call] of Object.entries(calls)) {
      expect((await rejectionOf(call())).message, name).toMatch(/durably:webhook|Unknown/i);
    }
    for (const how of ['name', 'definition']) {
      const { id } = await durably.trigger({ jobName: 'starter', input: how });
      await untilStatus(durably, id, 'failed');
    }
    const payloads = (await durably.getRuns({ jobName: JOB })).map(({ payload }) => payload);
    expect(payloads.every((payload) => (payload as { runId?: string }).runId !== undefined)).toBe(true);
  });

  test('are removed fourteen days after their end', async ({ world }) => {
    const { durably, delivery, id } = await delivered(world);
    const tools = await world.tools();
    const { store } = await world.store();
    await tools.ageEnd(delivery.id, 13 * DAY_MS);
    expect(await store.purgeDeliveries()).toEqual([]);
    await tools.ageEnd(delivery.id, DAY_MS);
    await tools.ageEnd(id, 30 * DAY_MS);
    expect(await store.purgeDeliveries()).toEqual([{ runId: delivery.id, jobName: JOB }]);
    expect(await idsOf(durably)).toEqual([id]);
  });

  test('can be tried again by hand, with the same webhook-id', async ({ world }) => {
    const { received, webhooks } = await receiver((response, { index }) =>
      response.writeHead(index === 0 ? 410 : 200).end(),
    );
    const { durably } = await world.start({ webhooks: webhooks() });
    durably.register({ done: job('done', () => 1) });
    await durably.trigger({ jobName: 'done', input: 1 });
    const failed = await until(async () => (await durably.getRuns({ jobName: JOB, status: 'failed' }))[0]);
    await durably.retry(failed.id);
    await untilStatus(durably, failed.id, 'completed');
    expect(received.map(({ headers }) => headers['webhook-id'])).toEqual([failed.id, failed.id]);
  });
});
