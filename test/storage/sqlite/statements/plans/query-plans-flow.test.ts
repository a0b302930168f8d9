import { Kysely, sql } from 'kysely';
import { expect } from 'vitest';
import { contract } from '../../../../support/contract.ts';
import { idle } from '../../../../support/idle.ts';
import { job } from '../../../../support/jobs.ts';
import { nextEvent, untilStatus } from '../../../../support/runs.ts';
import type { World } from '../../../../support/world.ts';
import { NOTES } from '../counted.ts';
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

const NOTHING = { scans: [], temporaries: [] };

const costsOf = (plans: readonly Plan[]) => ({
  scans: plans.flatMap(scansOf),
  temporaries: plans.flatMap(temporariesOf),
});

/** The plan of the one statement with that text. */
function one(plans: readonly Plan[], text: string): Plan {
  const [found, ...others] = plans.filter(({ sql }) => sql.includes(text));
  if (found === undefined || others.length > 0)
    throw new Error(`${others.length} other statements with ${text}`);
  return found;
}

/** An instance with jobs that wait for a signal, and for a run. */
async function withWaits(world: World) {
  const instance = await planned(world, { chores: [NOTES] });
  const jobs = instance.durably.register({
    asks: job('asks', async (step) => {
      await step.run('before', () => 1);
      return await step.waitForSignal('answer');
    }),
    child: job('child', (step) => step.waitForSignal('go')),
    parent: job('parent', (step) => step.invoke('one', 'child', null)),
  });
  return { ...instance, jobs };
}

async function waitingParent({ durably, jobs }: Awaited<ReturnType<typeof withWaits>>) {
  const { id } = await jobs.parent.trigger(0);
  await untilStatus(durably, id, 'waiting');
  const [child] = await durably.getRuns({ parentRunId: id });
  if (child === undefined) throw new Error('it has started no run');
  await untilStatus(durably, child.id, 'waiting');
  return { id, childId: child.id };
}

contract('query plans', (test) => {
  test('of a signal: its run by the id, and the signals of its run by an index', async ({ world }) => {
    const { durably, jobs, during } = await withWaits(world);
    const { id } = await jobs.asks.trigger(0);
    await untilStatus(durably, id, 'waiting');
    const completed = nextEvent(durably, 'run:complete', id);
    const plans = withoutClaims(
      await during(async () => {
        await durably.signal(id, 'answer', 1, { signalId: 'mail' });
        await completed;
      }),
    );
    const send = one(plans, 'insert into durably_signals');
    expect(costsOf([send])).toEqual(NOTHING);
    expect(searchesOf(send)).toEqual([
      expect.stringMatching(/^SEARCH r USING INDEX \S+ \(id=\?\)$/),
      expect.stringMatching(/^SEARCH u USING (COVERING )?INDEX durably_signals_untaken \(run_id=\?\)$/),
    ]);
    const state = one(plans, 'left join durably_signals');
    expect(costsOf([state])).toEqual(NOTHING);
    expect(searchesOf(state)).toEqual([
      expect.stringMatching(/^SEARCH r USING INDEX \S+ \(id=\?\)$/),
      expect.stringMatching(/^SEARCH s USING INDEX durably_signals_by_id \(run_id=\? AND signal_id=\?\)/),
    ]);
    // What the run took is stored with its end.
    const end = one(plans, 'insert into durably_all_appends');
    expect(costsOf([end]).scans).toEqual([]);
    expect(searchesOf(end)).toContainEqual(expect.stringMatching(/^SEARCH r USING INDEX \S+ \(id=\?\)$/));
  });

  test('of what is known of claimed runs: steps and signals by their runs', async ({ world }) => {
    const { durably, jobs, during } = await withWaits(world);
    const { id } = await jobs.asks.trigger(0);
    await untilStatus(durably, id, 'waiting');
    const completed = nextEvent(durably, 'run:complete', id);
    const plans = await during(async () => {
      await durably.signal(id, 'answer', 1);
      await completed;
    });
    const known = plans.filter(({ sql }) => sql.includes('cross join durably_signals g'));
    expect(known.length).toBeGreaterThan(0);
    for (const plan of known) {
      const searches = searchesOf(plan).join('\n');
      expect(searches).toMatch(/SEARCH s USING PRIMARY KEY \(run_id=\?\)/);
      expect(searches).toMatch(/SEARCH j USING INTEGER PRIMARY KEY \(rowid=\?\)/);
      expect(searches).toMatch(/SEARCH g USING INDEX durably_signals_untaken \(run_id=\?\)/);
    }
  });

  test('of a fork', async ({ world }) => {
    const { durably, jobs, during } = await withWaits(world);
    const { id } = await jobs.asks.trigger(0);
    await untilStatus(durably, id, 'waiting');
    const plans = withoutClaims(await during(() => durably.fork(id, { from: 'before' })));
    const fork = one(plans, 'insert into durably_forks');
    expect(costsOf([fork])).toEqual(NOTHING);
    expect(searchesOf(fork)).toEqual([
      expect.stringMatching(/^SEARCH r USING INDEX \S+ \(id=\?\)$/),
      expect.stringMatching(/^SEARCH n USING (COVERING )?INDEX \S+ \(id=\?\)$/),
      expect.stringMatching(/^SEARCH s USING PRIMARY KEY \(run_id=\? AND name=\?\)$/),
      // The size of what it would copy.
      expect.stringMatching(/^SEARCH p USING (PRIMARY KEY|INDEX \S+) \(run_id=\?.*\)$/),
      expect.stringMatching(/^SEARCH j USING INTEGER PRIMARY KEY \(rowid=\?\)$/),
    ]);
    const state = one(plans, 'as is_stored');
    expect(costsOf([state])).toEqual(NOTHING);
    for (const search of searchesOf(state)) expect(search).toMatch(/\((id=\?|run_id=\? AND name=\?)\)$/);
  });

  test('of a step that starts a run, and of the runs that a run has started', async ({ world }) => {
    const { durably, jobs, during } = await withWaits(world);
    const waits = nextEvent(durably, 'run:wait');
    const started = withoutClaims(
      await during(async () => {
        await jobs.parent.trigger(0);
        await waits;
      }),
    );
    const starts = started.filter(({ sql }) => sql.includes('insert into durably_all_appends'));
    expect(starts.length).toBeGreaterThan(0);
    for (const plan of starts) {
      expect(costsOf([plan]).scans).toEqual([]);
      expect(searchesOf(plan)).toContainEqual(expect.stringMatching(/^SEARCH r USING INDEX \S+ \(id=\?\)$/));
    }
    const [parent] = await durably.getRuns({ jobName: 'parent' });
    for (const status of [undefined, 'waiting', 'completed'] as const) {
      const [list] = await during(() =>
        durably.getRuns({ parentRunId: parent?.id ?? '', ...(status && { status }) }),
      );
      if (list === undefined) throw new Error('nothing was asked');
      expect(costsOf([list])).toEqual(NOTHING);
      expect(searchesOf(list).join('\n')).toMatch(/durably_runs_by_parent \(parent_run_id=\?/);
    }
  });

  test.for(['durably_signals_sent', 'durably_runs_ended'])(
    'of the trigger %s, which wakes a run by its id',
    async (name, { world }) => {
      const { durably } = await world.idle();
      const { rows } = await sql<{ sql: string }>`
        select sql from sqlite_master where type = 'trigger' and name = ${name}
      `.execute(durably.db);
      const [, wake = ''] = /(update durably_runs [\s\S]*?);/.exec(rows[0]?.sql ?? '') ?? [];
      const text = wake.replaceAll(/\bnew\.\w+/gi, '?');
      const values = Array.from({ length: text.split('?').length - 1 }, () => null);
      const db = new Kysely<unknown>({ dialect: (await world.open()).dialect });
      const plan = await planOf(db, text, values);
      expect(costsOf([plan])).toEqual(NOTHING);
      expect(searchesOf(plan)).toEqual([
        expect.stringMatching(/^SEARCH durably_runs USING INDEX \S+ \(id=\?\)$/),
      ]);
    },
  );

  test('of the end of a run that another one waits for', async ({ world }) => {
    const tree = await withWaits(world);
    const { id, childId } = await waitingParent(tree);
    const completed = nextEvent(tree.durably, 'run:complete', id);
    const plans = await tree.during(async () => {
      await tree.durably.signal(childId, 'go');
      await completed;
      await idle();
    });
    expect(withoutClaims(plans).flatMap(scansOf)).toEqual([]);
  });

  test('of a cancel: the runs below by their parents, and each by its id', async ({ world }) => {
    const tree = await withWaits(world);
    const { id } = await waitingParent(tree);
    const plans = withoutClaims(await tree.during(() => tree.durably.cancel(id)));
    const cancel = one(plans, 'with recursive tree(id)');
    expect(costsOf([cancel])).toEqual(NOTHING);
    const searches = searchesOf(cancel);
    expect(searches).toContainEqual(expect.stringMatching(/^SEARCH durably_runs USING INDEX \S+ \(id=\?\)$/));
    for (const search of searches) {
      expect(search).toMatch(/\(id=\?\)$|^SEARCH c USING INDEX durably_runs_by_parent \(parent_run_id=\?\)$/);
    }
  });

  test('of the cancelling of runs below, in portions', async ({ world }) => {
    const tree = await withWaits(world);
    const { id } = await waitingParent(tree);
    await tree.durably.db
      .updateTable('durably_runs')
      .set({ status: 'cancelled', cancels_below: 1 })
      .where('id', '=', id)
      .execute();
    // The chore of the minute.
    const plans = withoutClaims(await tree.during(() => tree.clock.advance(60_000)));
    const below = plans.filter(({ sql }) => sql.includes('cancels_below'));
    expect(below.length).toBeGreaterThanOrEqual(5);
    expect(costsOf(below)).toEqual(NOTHING);
    const allowed =
      /\(id=\?\)$|\(rowid=\?\)$|durably_runs_by_parent \(parent_run_id=\?( AND rowid>\?)?\)$|durably_runs_cancelling \(cancels_below>\?\)$/;
    for (const search of below.flatMap(searchesOf)) expect(search).toMatch(allowed);
    expect(below.flatMap(searchesOf)).toContainEqual(expect.stringContaining('parent_run_id=? AND rowid>?'));
  });

  test('of the look for due runs by a worker without a free slot', async ({ world }) => {
    const { durably, clock, handles, during } = await planned(world);
    const begun = nextEvent(durably, 'run:start');
    await handles.stepped.trigger('hang');
    await begun;
    // The plans of schedules have their own test.
    const [wake, ...others] = (await during(() => clock.advance(1_000))).filter(
      ({ sql }) => !sql.includes('heartbeat_at =') && !sql.includes('durably_schedules'),
    );
    expect(others).toEqual([]);
    expect(costsOf(wake === undefined ? [] : [wake])).toEqual(NOTHING);
    expect(searchesOf(wake ?? { sql: '', lines: [] })).toEqual([
      'SEARCH durably_runs USING INTEGER PRIMARY KEY (rowid=?)',
      expect.stringMatching(/^SEARCH w USING (COVERING )?INDEX durably_runs_due \(due_at<\?\)$/),
      expect.stringMatching(/^SEARCH d USING INDEX durably_runs_deadlines \(deadline_at<\?\)$/),
    ]);
    // A sort would read all that is due before the limit.
    expect(wake?.lines).not.toContain(SORT);
  });
});
