import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../../../../src/index.ts';
import { contract } from '../../../../support/contract.ts';
import { isRemote } from '../../support/abilities.ts';
import { planned, scansOf, searchesOf } from './plans.ts';

/** Rows that the statement has made itself: the jobs, the levels of lines, the lines and the runs that it found. */
const OWN_ROWS = /^SCAN (levels|v|o|n|j|due|d|t|c|within|lined|unlined|\(subquery-\d+\))$/;

contract('query plans of claims with limits', (test) => {
  test('read lines, places and throttles by index', async ({ world }) => {
    const { durably, clock, during } = await planned(world);
    durably.register({
      limited: defineJob({
        name: 'limited',
        input: z.string(),
        concurrency: { limit: 2, perKey: 1, key: (input) => input },
        throttle: { limit: 1, per: '1m', key: (input) => input },
        run: () => 1,
      }),
    });
    // The first claim adds what limits need to the schema.
    await during(() => clock.advance(1_000));
    const plans = await during(() => clock.advance(1_000));
    const refresh = plans.find(({ sql }) => sql.includes('update durably_lines'));
    const claim = plans.find(({ sql }) => sql.includes('claim_token = '));
    if (!refresh || !claim) throw new Error('no claim was made');
    for (const plan of [refresh, claim]) {
      expect(scansOf(plan).filter((line) => !OWN_ROWS.test(line))).toEqual([]);
      for (const line of searchesOf(plan)) expect(line).toMatch(/INDEX|PRIMARY KEY/);
    }
    const searches = searchesOf(claim).join('\n');
    expect(searches).toContain('durably_lines_open (job_name=? AND is_whole=? AND active>?)');
    expect(searches).toContain('durably_runs_first_in_line (job_name=? AND limit_key=? AND <expr>=?)');
    expect(searches).toContain('durably_runs_places (job_name=? AND limit_key=?)');
    expect(searchesOf(refresh).join('\n')).toContain('durably_lines_stale (job_name=?)');
    expect(searchesOf(refresh).join('\n')).toContain('durably_runs_in_line (job_name=? AND limit_key=?');
    // What a refresh and a claim send: no more than these two, and what every claim sends.
    expect(plans.length).toBeLessThanOrEqual(isRemote(world) ? 6 : 5);
  });
});
