import { expect } from 'vitest';
import { contract } from '../../../../support/contract.ts';
import { planned, scansOf, searchesOf, temporariesOf } from './plans.ts';

contract('query plans', (test) => {
  test('of commands for many runs find each run by its id', async ({ world }) => {
    const { durably, handles, during } = await planned(world);
    await durably.stop();
    await handles.echo.trigger(1);
    const all = { all: true };
    const commands = [durably.cancelRuns, durably.retryRuns, durably.cancelRuns, durably.deleteRuns];
    for (const command of commands) {
      const plans = await during(() => command(all));
      const [change, ...others] = plans.filter(({ sql }) => /returning id, job_name, .* as below/.test(sql));
      if (!change) throw new Error('nothing was changed');
      expect(others).toEqual([]);
      // Of a view, only the rows that were found are scanned.
      const scans = scansOf(change).filter((line) => line !== 'SCAN durably_quick_deletions');
      expect([scans, temporariesOf(change)]).toEqual([[], []]);
      expect(searchesOf(change)[0]).toMatch(/durably_runs USING INDEX \S+ \(id=\?\)$/);
    }
  });

  test('of a purge read the oldest ends of each status', async ({ world }) => {
    const { durably, during } = await planned(world);
    const plans = await during(() => durably.purgeRuns({ olderThan: '1d' }));
    const [purge] = plans.filter(({ sql }) => sql.includes('delete from durably_runs'));
    if (!purge) throw new Error('nothing was purged');
    expect([scansOf(purge), temporariesOf(purge)]).toEqual([[], []]);
    const searches = searchesOf(purge).join('\n');
    expect(searches).toMatch(/durably_runs_by_end \(status=\? AND completed_at>\? AND completed_at<\?\)/);
    expect(searches).toMatch(/durably_runs_by_parent \(parent_run_id=\?\)/);
  });

  test('of the numbers of runs read what came since somebody asked', async ({ world }) => {
    const { durably, during } = await planned(world);
    await durably.getJobs();
    const plans = await during(() => durably.getJobs());
    const [counts] = plans.filter(({ sql }) => sql.includes('with counts as materialized'));
    if (!counts) throw new Error('nothing was counted');
    expect(scansOf(counts)).toEqual([]);
    const searches = searchesOf(counts).join('\n');
    expect(searches).toMatch(/SEARCH j USING INTEGER PRIMARY KEY \(rowid>\?\)/);
    expect(searches).toMatch(
      /SEARCH r USING COVERING INDEX durably_runs_by_job \(job_name=\? AND status=\?\)/,
    );
    expect(searches).not.toMatch(/durably_runs_by_status/);
  });

  test('of what a monitor asks for go from job to job, and count what is active', async ({ world }) => {
    const { durably, handles, during } = await planned(world);
    await handles.echo.trigger(1);
    const [lines, ...others] = await during(() => durably.getVitals());
    if (!lines) throw new Error('nothing was asked');
    expect(others).toEqual([]);
    expect(scansOf(lines)).toEqual([]);
    // Of the first 100 runs of a line, the oldest is taken.
    for (const search of searchesOf(lines).filter((line) => line !== 'SEARCH p')) {
      expect(search).toMatch(/durably_runs_by_job \(job_name(>\?|=\? AND status=\?)\)$/);
    }
  });
});
