import { expect, test, vi } from 'vitest';
import { checkEnded, checkJournal } from './checks/journal.ts';
import { checkKeys } from './checks/keys.ts';
import { checkLedger } from './checks/ledger.ts';
import { eventually } from './support/eventually.ts';
import { withFleet } from './support/fleet.ts';
import { countOpen, readRecords } from './support/records.ts';

vi.setConfig({ testTimeout: 120_000 });

const HOUR_MS = 60 * 60 * 1000;

test('a process clock that is an hour off changes no lease, no order of runs and no stored time', async () => {
  await withFleet({ DURABLY_CONCURRENCY: 2 }, async (fleet) => {
    const begunAt = Date.now();
    const [ahead, behind, right] = await Promise.all([
      fleet.start({ CHAOS_DATE_SHIFT_MS: HOUR_MS }),
      fleet.start({ CHAOS_DATE_SHIFT_MS: -HOUR_MS }),
      fleet.start(),
    ]);
    const apis = [ahead, behind, right].map((service) => fleet.api(service));
    const ids: string[] = [];
    // Triggered one after another, so that the order is known. Some last longer than a lease.
    for (let i = 0; i < 45; i++) {
      const api = apis[i % 3] ?? fleet.api(right);
      const key = i % 5 < 2 ? { concurrencyKey: `key ${i % 2}` } : {};
      const input = { steps: 3, maxMs: i % 9 === 0 ? 1200 : 20 };
      ids.push(await api.triggered({ jobName: 'work', input, ...key }));
    }
    await eventually('all runs to end', () => countOpen(fleet.database) === 0, { everyMs: 50 });

    const records = readRecords(fleet.database);
    expect(records.runs.map(({ attempt }) => attempt)).toEqual(ids.map(() => 1));
    expect([
      ...fleet.seenViolations(),
      ...checkEnded(records),
      ...checkJournal(records),
      ...checkKeys(records),
      ...checkLedger(records, fleet.ledger.rows()),
    ]).toEqual([]);
    for (const api of apis) {
      const listed = await api.runs('limit=1000');
      expect(listed.map(({ id }) => id)).toEqual([...ids].reverse());
      for (const { createdAt, startedAt, completedAt, updatedAt } of listed) {
        for (const time of [createdAt, startedAt, completedAt, updatedAt]) {
          expect(Date.parse(time ?? '')).toBeGreaterThanOrEqual(begunAt);
          expect(Date.parse(time ?? '')).toBeLessThanOrEqual(Date.now());
        }
      }
    }
  });
});

test.each([
  { owner: 'ahead', shiftMs: HOUR_MS },
  { owner: 'behind', shiftMs: -HOUR_MS },
])(
  'a run of a killed process whose clock is an hour $owner is taken over after the stale threshold',
  async ({ shiftMs }) => {
    await withFleet({ DURABLY_STALE_THRESHOLD_MS: 1000 }, async (fleet) => {
      const owner = await fleet.start({ CHAOS_DATE_SHIFT_MS: shiftMs });
      const id = await fleet.api(owner).triggered({ jobName: 'gate', input: {} });
      await eventually('the run to stand', () => fleet.ledger.marks('standing').length === 1);
      const heir = await fleet.start({ CHAOS_DATE_SHIFT_MS: -shiftMs });
      await owner.kill();
      await eventually('the run to be taken over', () => fleet.ledger.marks('standing').length === 2);
      fleet.openGate(heir);
      const run = await eventually('it to complete', async () => {
        const found = await fleet.api(heir).run(id);
        return found.status === 'completed' && found;
      });
      expect(run.attempt).toBe(2);
      // Takeover happens neither too early nor an hour late. It follows the machine's clock, which is the database's
      // clock here.
      const starts = readRecords(fleet.database).journal.filter(({ type }) => type === 'run:start');
      const [first = 0, second = 0] = starts.map(({ created_at }) => created_at);
      expect(second - first).toBeGreaterThanOrEqual(1000);
      expect(second - first).toBeLessThan(60_000);
      expect(fleet.seenViolations()).toEqual([]);
    });
  },
);
