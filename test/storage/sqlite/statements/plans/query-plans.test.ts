import { Kysely, sql } from 'kysely';
import { expect } from 'vitest';
import { z } from 'zod';
import { splitStatements } from '../../../../../scripts/sql-statements.ts';
import { defineJob } from '../../../../../src/index.ts';
import { contract } from '../../../../support/contract.ts';
import { nextEvent } from '../../../../support/runs.ts';
import { hasBatches, isRemote } from '../../support/abilities.ts';
import {
  type Plan,
  planned,
  planOf,
  SORT,
  scansOf,
  searchesOf,
  temporariesOf,
  withoutClaims,
} from './plans.ts';

contract('query plans', (test) => {
  test('of the claim, including stale runs', async ({ world }) => {
    const { clock, during } = await planned(world, { maxConcurrentRuns: 2 });
    const [wake, claim, ...others] = await during(() => clock.advance(1_000));
    if (!wake || !claim) throw new Error('no claim was made');
    // Before it, the waiting runs whose time has come.
    expect(scansOf(wake)).toEqual([]);
    expect(searchesOf(wake).join('\n')).toMatch(/durably_runs_due \(due_at<\?\)/);
    // And the runs whose time is up.
    expect(searchesOf(wake).join('\n')).toMatch(/durably_runs_deadlines \(deadline_at<\?\)/);
    expect(temporariesOf(wake)).toEqual([]);
    // Schedules that come soon are looked for as well.
    const schedules = others.pop();
    expect(schedules && searchesOf(schedules).join('\n')).toContain('durably_schedules_due');
    // The steps of the claimed runs come along. Over a network it is told besides whether runs were left.
    expect(others).toHaveLength(isRemote(world) ? 2 : hasBatches(world) ? 1 : 0);
    // The steps are those of the runs with the newest heartbeat, and what was left is told by the running runs.
    expect(others.flatMap(scansOf)).toEqual(
      isRemote(world) ? ['SCAN taken USING INDEX durably_runs_leases'] : [],
    );
    expect(scansOf(claim)).toEqual([]);
    // The plan sorts candidates only: for each job at most as many as there are free slots, and the stale runs.
    // Over a network they are sorted once more, for their bytes. The runs of a job come in order from the index.
    const sorts = ['USE TEMP B-TREE FOR GROUP BY', SORT, SORT, ...(isRemote(world) ? [SORT] : [])];
    expect([...temporariesOf(claim)].sort()).toEqual(sorts);
    const searches = searchesOf(claim).join('\n');
    expect(searches).toMatch(/durably_runs_claimable \(job_name=\?\)/);
    expect(searches).toMatch(/durably_runs_running_key \(concurrency_key=\?\)/);
    expect(searches).toContain('durably_runs_holding (concurrency_key=?)');
    expect(searches).toContain('durably_runs_waiting_key (concurrency_key=? AND job_name=?)');
    expect(searches.match(/durably_runs_leases \(heartbeat_at<\?\)/g)).toHaveLength(1);
    expect(searches.match(/durably_runs_leases \(heartbeat_at>\?\)/g)).toHaveLength(1);
  });

  test('of the claim of a single run is the same, and does not ask whether any were left', async ({
    world,
  }) => {
    const { clock, during } = await planned(world);
    const [, claim, ...others] = await during(() => clock.advance(1_000));
    if (!claim) throw new Error('no claim was made');
    expect(scansOf(claim)).toEqual([]);
    expect(others).toHaveLength(isRemote(world) || hasBatches(world) ? 2 : 1);
  });

  test('of the claim of jobs with a version and a timeout is the same', async ({ world }) => {
    const { durably, clock, during } = await planned(world);
    const [, usual] = await during(() => clock.advance(1_000));
    durably.register({
      limited: defineJob({ name: 'limited', input: z.unknown(), version: 2, timeout: '2h', run: () => 1 }),
    });
    const [, claim] = await during(() => clock.advance(1_000));
    if (!usual || !claim) throw new Error('no claim was made');
    expect(claim.sql).not.toBe(usual.sql);
    expect(scansOf(claim)).toEqual([]);
    expect(temporariesOf(claim)).toEqual(temporariesOf(usual));
    expect(searchesOf(claim)).toEqual(searchesOf(usual));
  });

  test("of a worker's writes", async ({ world }) => {
    const { durably, clock, handles, during } = await planned(world);
    const triggered = await during(() =>
      handles.stepped.trigger('hang', { idempotencyKey: 'i', concurrencyKey: 'c' }),
    );
    expect(triggered.length).toBeGreaterThanOrEqual(3);
    expect(withoutClaims(triggered).flatMap(scansOf)).toEqual([]);
    // The sort of the parameter's rows keeps their order. The claim has its own test.
    const others = withoutClaims(triggered);
    for (const plan of others) expect(temporariesOf(plan).length).toBeLessThanOrEqual(2);
    const [append] = triggered.filter((plan) => plan.sql.includes('insert into durably_appends'));
    expect(searchesOf(append ?? { sql: '', lines: [] })).toEqual([
      expect.stringMatching(/^SEARCH r USING INDEX \S+ \(id=\?\)$/),
    ]);
    const beats = await during(() => clock.advance(2_000));
    const handBacks = await during(async () => {
      const stopped = durably.stop({ timeoutMs: 0 });
      clock.advance(0);
      await stopped;
    });
    for (const plans of [beats, handBacks].map(withoutClaims)) {
      expect(plans).toHaveLength(1);
      expect(plans.flatMap(scansOf)).toEqual([]);
      expect(plans.flatMap(temporariesOf)).toEqual([]);
      // Each lease is found by its id, however many runs other workers execute.
      expect(plans.flatMap(searchesOf)).toEqual([expect.stringMatching(/\(id=\?\)/)]);
    }
  });

  test('of commands, replay and purge', async ({ world }) => {
    const { durably, clock, handles, during } = await planned(world);
    const failed = nextEvent(durably, 'run:fail');
    const { id } = await handles.stepped.trigger('fail');
    await failed;
    const plans = [
      ...(await during(() => durably.retry(id))),
      ...(await during(() => durably.cancel(id).catch(() => undefined))),
      ...(await during(() => durably.deleteRun(id))),
      ...(await during(() => durably.deleteRun(id).catch(() => undefined))),
    ];
    expect(withoutClaims(plans).flatMap(scansOf)).toEqual([]);
    await durably.stop();
    durably.start();
    const early = await during(() => clock.advance(10 * 60 * 1000));
    const hourly = await during(() => clock.advance(50 * 60 * 1000));
    const purge = hourly.filter((plan) => plan.sql.includes('delete from durably_journal'));
    expect(purge).toHaveLength(1);
    expect(purge.flatMap(scansOf)).toEqual([]);
    expect(purge.flatMap(temporariesOf)).toEqual([]);
    const [rows, old, young, newestOld] = purge.flatMap(searchesOf);
    expect(rows).toContain('INTEGER PRIMARY KEY (rowid=?)');
    expect(old).toContain('durably_journal_deletions (created_at<?)');
    expect(young).toContain('durably_journal_deletions (created_at>?)');
    expect(newestOld).toContain('durably_journal_deletions (created_at<?)');
    // Ten minutes after the start, and in the hourly chore.
    for (const round of [early, hourly]) {
      const portions = round.filter((plan) => plan.sql.includes('update durably_deletions'));
      expect(portions).toHaveLength(1);
      const [portion] = portions as [Plan];
      expect([scansOf(portion), temporariesOf(portion)]).toEqual([[], []]);
      expect(searchesOf(portion)).toEqual([
        expect.stringMatching(/durably_deletions .*\(run_id=\?\)/),
        expect.stringMatching(/durably_deletions .*\(run_id>\?\)/),
        expect.stringMatching(/durably_journal_by_run \(run_id=\?\)/),
      ]);
    }
  });

  test("of the triggers' statements", async ({ world }) => {
    const { durably } = await world.idle();
    const { rows: triggers } = await sql<{ name: string; sql: string }>`
      select name, sql from sqlite_master where type = 'trigger'
    `.execute(durably.db);
    const db = new Kysely<unknown>({ dialect: (await world.open()).dialect });
    expect(triggers.length).toBeGreaterThan(5);
    for (const trigger of triggers) {
      const [, body = ''] = /\bbegin\b([\s\S]*)\bend\s*;?\s*$/i.exec(trigger.sql) ?? [];
      const statements = splitStatements(body);
      expect(statements.length).toBeGreaterThan(0);
      for (const statement of statements) {
        // The statement reads nothing, and SQLite puts it nowhere else.
        if (statement.startsWith('select raise(')) continue;
        // The planner treats the row's columns as values, like parameters.
        const text = statement.replaceAll(/\b(new|old)\.\w+/gi, '?');
        const values = Array.from({ length: text.split('?').length - 1 }, () => null);
        const plan = await planOf(db, text, values);
        // All runs are counted once, when somebody asks for the first time.
        if (text.includes('from durably_runs indexed by durably_runs_by_job')) continue;
        // Stats and workers have tests of their own.
        if (/durably_stats|durably_workers/.test(text)) continue;
        expect({ name: trigger.name, text, scans: scansOf(plan), temporaries: temporariesOf(plan) }).toEqual({
          name: trigger.name,
          text,
          scans: [],
          // A fork copies the steps of one run in their order.
          temporaries: text.includes('order by s.step_index')
            ? [SORT]
            : // A portion of the journal is added up.
              text.includes('group by c.job_name')
              ? ['USE TEMP B-TREE FOR GROUP BY']
              : [],
        });
      }
    }
  });
});
