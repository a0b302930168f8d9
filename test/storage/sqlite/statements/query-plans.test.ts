import { CompiledQuery, Kysely, sql } from 'kysely';
import { expect } from 'vitest';
import { z } from 'zod';
import { splitStatements } from '../../../../scripts/sql-statements.ts';
import type { RunFilter } from '../../../../src/core/run.ts';
import { defineJob } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { idle } from '../../../support/idle.ts';
import { echo, job } from '../../../support/jobs.ts';
import { nextEvent } from '../../../support/runs.ts';
import type { World } from '../../../support/world.ts';

const SORT = 'USE TEMP B-TREE FOR ORDER BY';

interface Plan {
  readonly sql: string;
  readonly lines: readonly string[];
}

/**
 * @param db a connection past durably's: a write that was explained counts as under way until it is collected, and
 * keeps its connection from committing.
 */
async function planOf(db: Kysely<unknown>, text: string, parameters: readonly unknown[]): Promise<Plan> {
  const query = CompiledQuery.raw(`explain query plan ${text}`, [...parameters]);
  const { rows } = await db.executeQuery<{ detail: string }>(query);
  return { sql: text, lines: rows.map(({ detail }) => detail) };
}

/**
 * The lines of a plan that scan a table. Scans of parameters (`json_each`, and `entries` made from it), of rows that the
 * statement has made itself and of no table don't count.
 */
function scansOf({ sql, lines }: Plan): string[] {
  const isOwn = (line: string) =>
    line.includes('VIRTUAL TABLE') ||
    line === 'SCAN CONSTANT ROW' ||
    OWN_ROWS.some(([scan, text]) => line === scan && sql.includes(text)) ||
    lines.includes(line.replace('SCAN', 'CO-ROUTINE'));
  return lines.filter((line) => line.startsWith('SCAN') && !isOwn(line));
}

const OWN_ROWS = [
  ['SCAN e', 'from entries e '],
  ['SCAN t', 'from tree t '],
  ['SCAN tree', 'with recursive tree(id)'],
  ['SCAN r', 'from claimed r '],
  ['SCAN w', ') as is_over'],
  ['SCAN a', 'from above a '],
] as const;

function temporariesOf({ lines }: Plan): string[] {
  return lines.filter((line) => line.includes('TEMP B-TREE') || line.includes('AUTOMATIC'));
}

function searchesOf({ lines }: Plan): string[] {
  return lines.filter((line) => line.startsWith('SEARCH'));
}

/** An idle instance, and the plans of the statements that a task sends. */
async function planned(world: World) {
  const clock = new FakeClock();
  const { durably, statements } = await world.start({ clock, heartbeatInterval: 2_000 });
  const db = new Kysely<unknown>({ dialect: (await world.open()).dialect });
  const handles = durably.register({
    echo,
    stepped: job('stepped', async (step, input) => {
      await step.run('kept', () => step.log.info('line'));
      if (input === 'hang') await new Promise(() => undefined);
      if (input === 'fail') throw new Error('failed');
    }),
  });
  const during = async (task: () => unknown): Promise<Plan[]> => {
    await idle();
    const before = statements.length;
    await task();
    await idle();
    const made = statements.slice(before);
    return await Promise.all(made.map((one) => planOf(db, one.sql, one.parameters)));
  };
  return { durably, clock, handles, during };
}

/**
 * The searches of a list. With several branches the rows are then read by their key. With one branch they are
 * the list.
 */
function armsOf(list: Parameters<typeof searchesOf>[0]): string[] {
  const searches = searchesOf(list);
  const isByKey = /durably_runs USING INTEGER PRIMARY KEY \(rowid=\?\)/.test(searches[0] ?? '');
  return isByKey ? searches.slice(1) : searches;
}

/** Another's dialect has none: its connection must be renewed from outside as well. */
const hasBatches = ({ backend }: World) => !backend.needsReconnect;
const isRemote = ({ backend }: World) => backend.locks === 'wait';

/** Without what a claim sends, which has its own test. */
function withoutClaims(plans: readonly Plan[]): Plan[] {
  return plans.filter(({ sql }) => !sql.includes('claim_token = ') && !sql.includes('durably_runs_due'));
}

contract('query plans', (test) => {
  test('of the claim, including stale runs', async ({ world }) => {
    const { clock, during } = await planned(world);
    const [wake, claim, ...others] = await during(() => clock.advance(1_000));
    if (!wake || !claim) throw new Error('no claim was made');
    // Before it, the waiting runs whose time has come.
    expect(scansOf(wake)).toEqual([]);
    expect(searchesOf(wake).join('\n')).toMatch(/durably_runs_due \(due_at<\?\)/);
    // And the runs whose time is up.
    expect(searchesOf(wake).join('\n')).toMatch(/durably_runs_deadlines \(deadline_at<\?\)/);
    expect(temporariesOf(wake)).toEqual([]);
    // The steps of the claimed runs come along. Over a network it is told besides whether runs were left.
    expect(others).toHaveLength(isRemote(world) ? 2 : hasBatches(world) ? 1 : 0);
    // Those are found among the running runs.
    expect(others.flatMap(scansOf)).toEqual(
      others.map(() => expect.stringMatching(/^SCAN \S+ USING INDEX durably_runs_leases$/)),
    );
    expect(scansOf(claim)).toEqual([]);
    // The plan sorts candidates only: for each job at most as many as there are free slots, and the stale runs.
    // Over a network they are sorted once more, for their bytes. The runs of a job come in order from the index.
    const sorts = ['USE TEMP B-TREE FOR GROUP BY', SORT, SORT, ...(isRemote(world) ? [SORT] : [])];
    expect([...temporariesOf(claim)].sort()).toEqual(sorts);
    const searches = searchesOf(claim).join('\n');
    expect(searches).toMatch(/durably_runs_claimable \(job_name=\?\)/);
    expect(searches).toMatch(/durably_runs_running_key \(concurrency_key=\?\)/);
    const key = 'concurrency_key=? AND job_name=?';
    expect(searches).toContain(`durably_runs_waiting_key (${key} AND priority>?)`);
    expect(searches).toContain(`durably_runs_waiting_key (${key} AND priority=? AND rowid<?)`);
    expect(searches.match(/durably_runs_leases \(heartbeat_at<\?\)/g)).toHaveLength(1);
    expect(searches.match(/durably_runs_leases \(heartbeat_at>\?\)/g)).toHaveLength(1);
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

  const someNames = [undefined, 'a', ['a', 'b'], Array.from({ length: 20 }, (_, i) => `job ${i}`)];
  const someStatuses = [
    undefined,
    'failed',
    ['failed', 'pending'],
    ['pending', 'running', 'completed', 'failed', 'cancelled'],
  ];
  const filters = someNames.flatMap((jobName) =>
    someStatuses.map((status) => ({ jobName, status, limit: 10, offset: 30 }) as RunFilter),
  );

  test('of lists of runs, with each combination of filters', async ({ world }) => {
    const { durably, during } = await planned(world);
    for (const filter of filters) {
      const [list] = await during(() => durably.getRuns(filter));
      if (!list) throw new Error('nothing was asked');
      expect({ filter, scans: scansOf(list), temporaries: temporariesOf(list) }).toEqual({
        filter,
        scans: [],
        temporaries: [],
      });
      // Each branch is read in order from an index that covers its whole filter.
      const byJob = /durably_runs_by_job \(job_name=\? AND status=\? AND rowid>\?\)/;
      const byStatus = /durably_runs_by_status \(status=\? AND rowid>\?\)/;
      const byKey = /INTEGER PRIMARY KEY \(rowid>\?\)/;
      const expected = filter.jobName ? byJob : filter.status ? byStatus : byKey;
      const arms = armsOf(list);
      expect(arms.length).toBeGreaterThan(0);
      for (const arm of arms) expect(arm).toMatch(expected);
    }
  });

  test('of lists by labels, combined with each other filter', async ({ world }) => {
    const { durably, during } = await planned(world);
    for (const labels of [{ org: '1' }, { org: '1', stage: 'live', kind: 'x' }]) {
      for (const filter of filters) {
        const [list] = await during(() => durably.getRuns({ ...filter, labels }));
        if (!list) throw new Error('nothing was asked');
        expect({ filter, scans: scansOf(list), temporaries: temporariesOf(list) }).toEqual({
          filter,
          scans: [],
          temporaries: [],
        });
        // The first label's runs in order, with one probe per run for the other labels.
        const [rows, first, ...probes] = searchesOf(list);
        expect(rows).toMatch(/INTEGER PRIMARY KEY \(rowid=\?\)/);
        expect(first).toMatch(/^SEARCH l USING PRIMARY KEY \(key=\? AND value=\?\)$/);
        const others = probes.filter((probe) => probe.startsWith('SEARCH o'));
        expect(others).toHaveLength(Object.keys(labels).length - 1);
        for (const probe of others) expect(probe).toMatch(/\(key=\? AND value=\? AND run_seq=\?\)$/);
        const run = probes.filter((probe) => probe.startsWith('SEARCH r'));
        expect(run).toHaveLength(filter.jobName || filter.status ? 1 : 0);
        for (const probe of run) expect(probe).toMatch(/INTEGER PRIMARY KEY \(rowid=\?\)$/);
        expect(probes).toHaveLength(others.length + run.length);
      }
    }
  });

  test('of lists by labels of pending or running runs', async ({ world }) => {
    const { durably, during } = await planned(world);
    const labels = { org: '1', stage: 'live' };
    for (const jobName of someNames) {
      for (const status of ['running', ['pending', 'running']] as const) {
        const [list] = await during(() => durably.getRuns({ jobName, status, labels }));
        if (!list) throw new Error('nothing was asked');
        expect([scansOf(list), temporariesOf(list)]).toEqual([[], []]);
        const searches = armsOf(list);
        const probes = searches.filter((search) => search.startsWith('SEARCH o'));
        const arms = searches.filter((search) => !search.startsWith('SEARCH o'));
        expect(probes).toHaveLength(2 * arms.length);
        for (const probe of probes) expect(probe).toMatch(/\(key=\? AND value=\? AND run_seq=\?\)$/);
        for (const arm of arms)
          expect(arm).toMatch(/durably_runs_by_(job|status) \(.*status=\? AND rowid>\?\)/);
      }
    }
  });

  test('of a run, its steps, its logs and its events', async ({ world }) => {
    const { durably, handles, during } = await planned(world);
    const ended = nextEvent(durably, 'run:complete');
    const { id } = await handles.stepped.trigger(0);
    await ended;
    const reads: Record<string, () => unknown> = {
      run: () => durably.getRun(id),
      logs: () => durably.getLogs({ runId: id }),
      'logs of a level': () => durably.getLogs({ runId: id, level: 'info', after: 2, limit: 5 }),
      events: async () => {
        const reader = durably.subscribe(id).getReader();
        await reader.read();
        await reader.cancel();
      },
    };
    for (const [what, read] of Object.entries(reads)) {
      const plans = await during(read);
      expect(plans.length).toBeGreaterThan(0);
      expect({ what, scans: plans.flatMap(scansOf), temporaries: plans.flatMap(temporariesOf) }).toEqual({
        what,
        scans: [],
        temporaries: [],
      });
    }
    const steps = await during(() => durably.getSteps(id));
    expect(steps.flatMap(scansOf)).toEqual([]);
    // One run's steps: the steps of a page are found, then sorted with their outputs.
    expect(steps.flatMap(temporariesOf)).toEqual([SORT, SORT]);
  });

  test.for([{}, { org: '1' }])('of the tail of the journal, by labels %j', async (labels, { world }) => {
    const { durably, clock, during } = await planned(world);
    const plans = await during(async () => {
      const { cursor } = await durably.openRunListFeed({ labels });
      const waiting = cursor.next();
      await idle();
      clock.advance(250);
      await idle();
      cursor.close();
      await waiting;
    });
    expect(plans.flatMap(scansOf)).toEqual([]);
    expect(plans.flatMap(temporariesOf)).toEqual([]);
    const tail = plans.find((plan) => searchesOf(plan).some((line) => line.includes('(rowid>?)')));
    expect(tail).toBeDefined();
    // The payload of a run:start, and the labels.
    const runs = searchesOf(tail ?? { sql: '', lines: [] }).filter((line) => line.startsWith('SEARCH r'));
    expect(runs).toEqual([expect.stringMatching(/^SEARCH r USING INDEX \S+ \(id=\?\)( LEFT-JOIN)?$/)]);
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
        expect({ name: trigger.name, text, scans: scansOf(plan), temporaries: temporariesOf(plan) }).toEqual({
          name: trigger.name,
          text,
          scans: [],
          // A fork copies the steps of one run in their order.
          temporaries: text.includes('order by s.step_index') ? [SORT] : [],
        });
      }
    }
  });
});
