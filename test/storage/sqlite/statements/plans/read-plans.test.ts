import { expect } from 'vitest';
import type { RunFilter } from '../../../../../src/core/lists/run-query.ts';
import { contract } from '../../../../support/contract.ts';
import { idle } from '../../../../support/idle.ts';
import { nextEvent } from '../../../../support/runs.ts';
import { planned, SORT, scansOf, searchesOf, temporariesOf } from './plans.ts';

/**
 * The searches of a list. With several branches the rows are then read by their key. With one branch they are
 * the list.
 */
function armsOf(list: Parameters<typeof searchesOf>[0]): string[] {
  const searches = searchesOf(list);
  const isByKey = /durably_runs USING INTEGER PRIMARY KEY \(rowid=\?\)/.test(searches[0] ?? '');
  return isByKey ? searches.slice(1) : searches;
}

contract('query plans', (test) => {
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
        expect(first).toMatch(/^SEARCH l USING PRIMARY KEY \(key=\? AND value=\? AND run_seq>\?\)$/);
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
});
