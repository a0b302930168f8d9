import { expect } from 'vitest';
import type { RunFilter } from '../../../../../src/core/lists/run-query.ts';
import { contract } from '../../../../support/contract.ts';
import { planned, scansOf, searchesOf, temporariesOf } from './plans.ts';

const day = (n: number) => `2026-01-0${n}T00:00:00Z`;

contract('query plans', (test) => {
  test('of lists by the time of creation seek the place of each time, and read no further', async ({
    world,
  }) => {
    const { durably, during } = await planned(world);
    const both = { createdAfter: day(1), createdBefore: day(2) };
    const cases: [RunFilter, RegExp][] = [
      [both, /^SEARCH durably_runs USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)$/],
      [{ createdAfter: day(1) }, /^SEARCH durably_runs USING INTEGER PRIMARY KEY \(rowid>\?\)$/],
      [{ ...both, status: 'failed' }, /durably_runs_by_status \(status=\? AND rowid>\? AND rowid<\?\)/],
      [
        { ...both, jobName: 'a' },
        /durably_runs_by_job \(job_name=\? AND status=\? AND rowid>\? AND rowid<\?\)/,
      ],
      [
        { ...both, labels: { org: '1' } },
        /^SEARCH l .*\(key=\? AND value=\? AND run_seq>\? AND run_seq<\?\)$/,
      ],
      [
        { ...both, parentRunId: 'a' },
        /durably_runs_by_parent \(parent_run_id=\? AND rowid>\? AND rowid<\?\)/,
      ],
      [
        { ...both, cursor: 'c9' },
        /^SEARCH durably_runs USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)$/,
      ],
    ];
    for (const [filter, seek] of cases) {
      const [list] = await during(() => durably.getRuns(filter));
      if (!list) throw new Error('nothing was asked');
      expect(scansOf(list), JSON.stringify(filter)).toEqual([]);
      expect(temporariesOf(list), JSON.stringify(filter)).toEqual([]);
      const searches = searchesOf(list);
      expect(searches.filter((line) => seek.test(line)).length, JSON.stringify(filter)).toBeGreaterThan(0);
      expect(searches.join('\n')).toMatch(/durably_runs_by_created \(created_at>\?\)/);
    }
  });

  test('of lists by a text read an index for each place where the text may be', async ({ world }) => {
    const { durably, during } = await planned(world);
    const filters: RunFilter[] = [
      { q: 'a' },
      { q: 'a', status: ['failed', 'completed'], jobName: ['a', 'b'] },
      { q: 'a', labels: { org: '1' } },
      { q: 'a', parentRunId: 'b' },
      { q: 'a', createdAfter: day(1), createdBefore: day(2), cursor: 'c9' },
    ];
    for (const filter of filters) {
      const [list] = await during(() => durably.getRuns(filter));
      if (!list) throw new Error('nothing was asked');
      // What was found is put together.
      const scans = scansOf(list).filter((line) => !/^SCAN (i|p|s|t|\(subquery-\d+\))$/.test(line));
      expect(scans, JSON.stringify(filter)).toEqual([]);
      const searches = searchesOf(list).join('\n');
      expect(searches).toMatch(/ i USING COVERING INDEX \S+ \(id>\? AND id<\?\)/);
      expect(searches).toMatch(/durably_runs_by_idempotency_key \(<expr>=\?/);
      expect(searches).toMatch(/durably_runs_by_concurrency_key \(concurrency_key=\?/);
      expect(searches).toMatch(/durably_labels_by_value \(value=\?/);
    }
  });
});
