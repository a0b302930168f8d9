import { expect } from 'vitest';
import { contract } from '../../../../support/contract.ts';
import { tripsOf } from '../../../../support/dialects/recording-dialect.ts';
import { echo } from '../../../../support/jobs.ts';
import { hasBatches } from '../../support/abilities.ts';
import { counted } from '../counted.ts';
import { type Plan, planned, scansOf, searchesOf, temporariesOf } from './plans.ts';

const HOUR_MS = 3_600_000;
const hourly = { id: 'hourly', jobName: 'echo', every: '1h' } as const;

const about = (plans: readonly Plan[], text: string): Plan => {
  const plan = plans.find(({ sql }) => sql.includes(text));
  if (plan === undefined) throw new Error(`no statement has ${text}`);
  return plan;
};

contract('query plans', (test) => {
  test('of the look for schedules and of firings', async ({ world }) => {
    const { durably, clock, during } = await planned(world);
    // After the first claim.
    await during(() => durably.schedule({ ...hourly, overlap: 'cancel' }));
    await (await world.tools()).ageSchedules(HOUR_MS);
    const plans = await during(() => clock.advance(1_000));
    const look = about(plans, 'indexed by durably_schedules_due');
    expect(scansOf(look)).toEqual([]);
    expect(searchesOf(look)).toEqual([
      'SEARCH s USING INDEX durably_schedules_due (job_name=? AND next_at<?)',
    ]);
    const fire = about(plans, 'insert into durably_firings');
    const state = about(plans, 'as made');
    for (const plan of [fire, state]) {
      expect(scansOf(plan)).toEqual([]);
      expect(searchesOf(plan).join('\n')).toMatch(/SEARCH s USING INDEX \S+ \(id=\?\)/);
    }
    const cancel = about(plans, "s.overlap = 'cancel'");
    expect(scansOf(cancel)).toEqual([]);
    expect(searchesOf(cancel).join('\n')).toContain(
      'SEARCH o USING INDEX durably_runs_by_schedule (schedule_id=? AND status=?)',
    );
  });

  test('of lists by schedule, combined with other filters', async ({ world }) => {
    const { durably, during } = await planned(world);
    for (const filter of [{}, { status: 'failed' }, { jobName: ['a', 'b'], labels: { org: '1' } }] as const) {
      const [list] = await during(() => durably.getRuns({ ...filter, scheduleId: 'hourly' }));
      if (list === undefined) throw new Error('nothing was asked');
      expect([scansOf(list), temporariesOf(list)]).toEqual([[], []]);
      const [rows, ...arms] = searchesOf(list).filter((search) => !search.startsWith('SEARCH o'));
      expect(rows).toMatch(/INTEGER PRIMARY KEY \(rowid=\?\)/);
      expect(arms).toHaveLength('status' in filter ? 1 : 6);
      for (const arm of arms) expect(arm).toContain('durably_runs_by_schedule (schedule_id=? AND status=?');
    }
  });
});

contract('statements', (test) => {
  test('an idle poll is as many with schedules as without', async ({ world }) => {
    const { during, durably, clock } = await counted(world, { pollingInterval: 400 });
    durably.register({ echo });
    const polls = async () => tripsOf(await during(() => clock.advance(400)));
    const without = await polls();
    for (let i = 0; i < 20; i++) await durably.schedule({ ...hourly, id: `schedule ${i}` });
    expect([await polls(), await polls()]).toEqual([without, without]);
  });

  test('any number of due schedules is fired by one request, with the claim of their runs', async ({
    world,
  }) => {
    const { during, durably, clock } = await counted(world, { pollingInterval: 400, maxConcurrentRuns: 30 });
    durably.register({ echo });
    for (let i = 0; i < 20; i++) await durably.schedule({ ...hourly, id: `schedule ${i}` });
    await (await world.tools()).ageSchedules(HOUR_MS);
    const made = await during(() => clock.advance(400));
    const firings = made.filter(({ sql }) => sql.includes('insert into durably_firings'));
    expect(firings).toHaveLength(1);
    expect(await durably.getRuns({ status: 'completed' })).toHaveLength(20);
    // The poll, the firing with a claim, the ends of the runs with the last claim.
    if (hasBatches(world)) expect(tripsOf(made)).toBe(3);
  });

  test('a schedule that is put again is one read and one write, and stores nothing', async ({ world }) => {
    const { during, durably } = await counted(world, { pollingInterval: 400_000 });
    durably.register({ echo });
    await durably.schedule(hourly);
    const [before] = await durably.getSchedules();
    const made = await during(() => durably.schedule(hourly));
    expect(tripsOf(made)).toBeLessThanOrEqual(hasBatches(world) ? 2 : 3);
    expect((await durably.getSchedules())[0]).toMatchObject({ updatedAt: before?.updatedAt });
  });
});
