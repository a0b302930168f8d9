import { Kysely, sql } from 'kysely';
import { expect } from 'vitest';
import { splitStatements } from '../../../../scripts/sql-statements.ts';
import { contract } from '../../../support/contract.ts';
import {
  type Plan,
  planned,
  planOf,
  scansOf,
  searchesOf,
  temporariesOf,
  withoutClaims,
} from '../statements/plans/plans.ts';

/** Scans of the buckets' lengths, three rows, and of what the statement has made itself. */
const isOwn = (line: string) => /^SCAN (s|p|m|e|\(subquery-\d+\))$/.test(line) || line === 'SCAN n';

/** The only plan of a statement with this text. */
function only(plans: readonly Plan[], text: string): Plan {
  const [plan, ...others] = plans.filter(({ sql }) => sql.includes(text));
  if (plan === undefined || others.length > 0)
    throw new Error(`${others.length + 1} statements have ${text}`);
  return plan;
}

contract('query plans', (test) => {
  test.for([
    { query: {}, index: /SEARCH s USING PRIMARY KEY \(span_ms=\? AND at>\?\)/ },
    {
      query: { jobName: 'echo' },
      index: /SEARCH s USING INDEX durably_stats_by_job \(job_name=\? AND span_ms=\? AND at>\?\)/,
    },
  ])('of the stats for $query read the buckets and the new events', async ({ query, index }, { world }) => {
    const { durably, during } = await planned(world);
    const plans = withoutClaims(await during(() => durably.getStats(query)));
    expect(plans).toHaveLength(2);
    const read = only(plans, 'json_group_object');
    const searches = searchesOf(read).join('\n');
    expect(searches).toMatch(index);
    expect(searches).toMatch(/SEARCH j USING INTEGER PRIMARY KEY \(rowid>\?\)/);
    expect(searches).toMatch(/SEARCH r USING INDEX sqlite_autoindex_durably_runs_1 \(id=\?\)/);
    expect(scansOf(read).filter((line) => !isOwn(line))).toEqual([]);
    const place = only(plans, 'folded_ms');
    expect(scansOf(place)).toEqual([]);
    expect(temporariesOf(place)).toEqual([]);
  });

  test.for([
    ['durably_stats_fold', /SEARCH j USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)/],
    ['durably_runs_folded', /SEARCH j USING INDEX durably_journal_by_run \(run_id=\? AND rowid>\?\)/],
  ] as const)('of %s read the new events, or those of one run', async ([name, index], { world }) => {
    await world.idle();
    const db = new Kysely<unknown>({ dialect: (await world.open()).dialect });
    const { rows } = await sql<{ sql: string }>`select sql from sqlite_master where name = ${name}`.execute(
      db,
    );
    const [, body = ''] = /\bbegin\b([\s\S]*)\bend\s*;?\s*$/i.exec(rows[0]?.sql ?? '') ?? [];
    const [add = ''] = splitStatements(body);
    const text = add.replaceAll(/\b(new|old)\.\w+/gi, '?');
    const plan = await planOf(
      db,
      text,
      Array.from({ length: text.split('?').length - 1 }, () => null),
    );
    expect(searchesOf(plan).join('\n')).toMatch(index);
    expect(scansOf(plan).filter((line) => !isOwn(line))).toEqual([]);
  });

  test('of the overview look at the beginning of the line', async ({ world }) => {
    const { durably, during } = await planned(world);
    await durably.getOverview();
    const line = only(withoutClaims(await during(() => durably.getOverview())), 'pendingSinceMs');
    expect(temporariesOf(line)).toEqual([]);
    expect(searchesOf(line).join('\n')).toMatch(/r USING INDEX durably_runs_by_status \(status=\?\)/);
  });

  test('of the schedules of jobs read no other rows', async ({ world }) => {
    const { durably, during } = await planned(world);
    const jobs = only(await during(() => durably.getJobs()), 'row_number()');
    expect(searchesOf(jobs).join('\n')).toMatch(/SEARCH s USING INDEX sqlite_autoindex_durably_schedules_1/);
  });
});
