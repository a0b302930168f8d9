import { type Kysely, sql } from 'kysely';
import { expect } from 'vitest';
import { MAX_STATS_POINTS, STATS_BUCKETS } from '../../../../src/core/stats/stats.ts';
import { contract } from '../../../support/contract.ts';
import { tripsOf } from '../../../support/dialects/recording-dialect.ts';
import { echo } from '../../../support/jobs.ts';
import { rejectionOf } from '../../../support/runs.ts';
import { counted } from '../statements/counted.ts';

// biome-ignore lint/suspicious/noExplicitAny: whatever the tables are.
type AnyDatabase = Kysely<any>;

const NOW_MS = sql`cast(unixepoch('subsec') * 1000 as integer)`;

/** Adds so many rows to the journal, each a start of the run. */
async function addStarts(db: AnyDatabase, runId: string, rows: number): Promise<void> {
  await sql`
    with recursive n(i) as (select 1 union all select i + 1 from n where i < ${rows})
    insert into durably_journal (run_id, job_name, type) select ${runId}, 'echo', 'run:start' from n
  `.execute(db);
}

contract('stored stats', (test) => {
  test('have the lengths and ages that callers are told', async ({ world }) => {
    const { durably } = await world.idle();
    const { rows } = await sql`select span_ms as spanMs, kept_ms as keptMs from durably_stats_spans`.execute(
      durably.db,
    );
    expect(rows).toEqual(Object.values(STATS_BUCKETS));
  });

  test('lose the buckets that are too old with the next events', async ({ world }) => {
    const { durably } = await world.idle();
    const { store } = await world.store();
    durably.register({ echo });
    for (const { spanMs, keptMs } of Object.values(STATS_BUCKETS)) {
      for (const ageMs of [keptMs - spanMs, keptMs + 3 * spanMs]) {
        await sql`
          insert into durably_stats (span_ms, at, job_name, started, completed, failed, cancelled, durations)
          values (${spanMs}, ${NOW_MS} - ${ageMs}, 'echo', 1, 0, 0, 0, '{}')
        `.execute(durably.db);
      }
    }
    await store.foldStats();
    await durably.trigger({ jobName: 'echo', input: 1 });
    await store.foldStats();
    const { rows } = await sql<{ span: number }>`
      select span_ms as span from durably_stats order by span_ms
    `.execute(durably.db);
    expect(rows.map(({ span }) => span)).toEqual(Object.values(STATS_BUCKETS).map(({ spanMs }) => spanMs));
  });

  // The last 1,000 rows are only read. The others are added 2,000 at a time, but a caller waits for 20 portions at most.
  test.for([
    { rows: 900, trips: 2, isWhole: true },
    { rows: 4_000, trips: 4, isWhole: true },
    { rows: 30_000, trips: 17, isWhole: true },
    { rows: 50_000, trips: 22, isWhole: false },
  ])('take $trips statements when $rows events have come', async ({ rows, trips, isWhole }, { world }) => {
    const { during, durably } = await counted(world);
    await durably.stop();
    const { id } = await durably.register({ echo }).echo.trigger(1);
    await addStarts(durably.db, id, rows);
    await sql`update durably_journal set created_at = created_at - 60000 where sequence < 20000`.execute(
      durably.db,
    );
    const [before, made] = [Date.now(), await during(() => durably.getStats())];
    expect(tripsOf(made)).toBe(trips);
    const { total, asOf } = await durably.getStats();
    // The second call goes on.
    expect(total.started).toBe(rows);
    expect(Date.parse(asOf)).toBeGreaterThanOrEqual(before);
    if (isWhole) expect(tripsOf(await during(() => durably.getStats()))).toBe(2);
  });

  test('say up to when they are complete if a caller would have to wait for long', async ({ world }) => {
    const { durably } = await world.idle();
    const { id } = await durably.register({ echo }).echo.trigger(1);
    await addStarts(durably.db, id, 60_000);
    await sql`update durably_journal set created_at = created_at - 600000 where sequence <= 40001`.execute(
      durably.db,
    );
    const behind = await durably.getStats();
    expect(behind.total.started).toBe(39_999);
    expect(Date.now() - Date.parse(behind.asOf)).toBeGreaterThan(500_000);
    expect((await durably.getStats()).total.started).toBe(60_000);
  });

  test('are refused if an answer would have too many buckets', async ({ world }) => {
    const { durably } = await world.idle();
    await sql`
      with recursive n(i) as (select 0 union all select i + 1 from n where i < ${MAX_STATS_POINTS})
      insert into durably_stats (span_ms, at, job_name, started, completed, failed, cancelled, durations)
      select 3600000, ${NOW_MS} - ${NOW_MS} % 3600000 - (i % 20) * 3600000, 'job ' || (i / 20), 1, 0, 0, 0, '{}' from n
    `.execute(durably.db);
    const error = await rejectionOf(durably.getStats());
    expect(error.message).toMatch(/^bucket makes more than 5000 buckets with all jobs: name fewer jobs/);
    expect(await durably.getStats({ since: '2h' })).toMatchObject({ total: { cancelled: 0 } });
    expect(await durably.getStats({ jobName: 'job 7' })).toMatchObject({ total: { started: 20 } });
  });
});
