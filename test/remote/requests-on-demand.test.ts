import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import type { Durably } from '../../src/index.ts';
import { echo } from '../support/jobs.ts';
import { startRemote } from '../support/remote.ts';

async function onDemand() {
  const { durably, requestsOf } = await (await startRemote()).startStill({ worker: 'on-demand' });
  durably.register({ echo });
  return { durably, requestsOf };
}

/** Stores a cancelled run whose mark says that the runs below it are yet to be cancelled, and those. */
async function addMarked(durably: Durably, children: number): Promise<void> {
  await durably.db
    .insertInto('durably_runs')
    .values({ id: 'top', job_name: 'other', payload: '0', status: 'cancelled', cancels_below: 1 })
    .execute();
  await addChildren(durably, 'top', children);
}

async function addChildren(durably: Durably, parentRunId: string, children: number): Promise<void> {
  await durably.db.executeQuery(
    sql`
      with recursive n(i) as (select 1 union all select i + 1 from n where i < ${children})
      insert into durably_runs (id, job_name, payload, parent_run_id) select 'child ' || i, 'other', '0', ${parentRunId} from n
    `.compile(durably.db),
  );
}

async function countCancelled(durably: Durably): Promise<number> {
  const cancelled = durably.db.selectFrom('durably_runs').where('status', '=', 'cancelled');
  const { runs } = await cancelled
    .select(({ fn }) => fn.countAll<number>().as('runs'))
    .executeTakeFirstOrThrow();
  return Number(runs);
}

describe('requests of a worker on demand to a remote database', () => {
  test('a shift that finds nothing takes one', async () => {
    const { durably, requestsOf } = await onDemand();
    expect(await requestsOf(() => durably.processUntilIdle())).toBe(1);
    expect(await requestsOf(() => durably.processOne())).toBe(1);
  });

  test('a shift that finds nothing cancels what others left below cancelled runs', async () => {
    const { durably, requestsOf } = await onDemand();
    await addMarked(durably, 300);
    // The claim brings the mark along. Then there are two portions, with a look after each.
    expect(await requestsOf(() => durably.processUntilIdle())).toBe(5);
    expect(await countCancelled(durably)).toBe(301);
    expect(await requestsOf(() => durably.processUntilIdle())).toBe(1);
  });

  test.each(['cancelRuns', 'cancel'])('%s takes a limited number', async (command) => {
    const { durably, requestsOf } = await onDemand();
    const { id } = await durably.trigger({ jobName: 'echo', input: 1 });
    await addChildren(durably, id, 5_000);
    const cancel = () =>
      command === 'cancel' ? durably.cancel(id) : durably.cancelRuns({ jobName: 'echo' });
    expect(await requestsOf(cancel)).toBeLessThanOrEqual(22);
    expect(await countCancelled(durably)).toBeGreaterThan(1_999);
    expect(await countCancelled(durably)).toBeLessThan(5_000);
  });
});
