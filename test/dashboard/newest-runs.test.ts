import { expect, it } from 'vitest';
import {
  EMPTY_LIST,
  heldOf,
  type Listed,
  type PageRequest,
  readNewest,
  released,
  shownOf,
  withNewest,
} from '../../src/dashboard/runs/newest-runs.ts';
import type { RunRow } from '../../src/dashboard/runs/run-patch.ts';

const rowOf = (at: number): RunRow => {
  const createdAt = new Date(at).toISOString();
  return {
    id: `run_${createdAt}`,
    createdAt,
    jobName: 'a',
    status: 'pending',
    waits: [],
    labels: {},
    progress: null,
    error: null,
    attempt: 1,
    stepCount: 0,
    concurrencyKey: null,
    parentRunId: null,
    scheduleId: null,
    startedAt: null,
    completedAt: null,
  };
};
/** The runs from a time down to another, newest first. */
const down = (from: number, to: number) => Array.from({ length: from - to }, (_, i) => rowOf(from - i));

/** Reads pages of `count` stored runs, of which the cursor is the place. */
const stored =
  (count: number) =>
  async ({ cursor = '0', limit }: PageRequest) => {
    const end = Math.min(count, Number(cursor) + limit);
    return { runs: down(count - Number(cursor), count - end), nextCursor: end < count ? String(end) : null };
  };

/** A list that has read the newest 100 of 150 runs. */
const list: Listed = { ...EMPTY_LIST, runs: down(150, 50), cursor: '100' };
const isKnown = (id: string) => list.runs.some((row) => row.id === id);
const idsOf = (rows: readonly RunRow[]) => rows.map(({ id }) => id);

it('reads one page if it ends with a run of the list', async () => {
  const newest = await readNewest(stored(190), isKnown);
  expect([newest.kind, newest.runs.length]).toEqual(['joined', 100]);
  expect(idsOf(shownOf(withNewest(list, newest, 'top')))).toEqual(idsOf(down(190, 50)));
});

it('reads on until it meets the list, and leaves no hole', async () => {
  const newest = await readNewest(stored(1500), isKnown);
  const next = withNewest(list, newest, 'elsewhere');
  expect([newest.kind, next.cursor]).toEqual(['all', null]);
  expect([idsOf(shownOf(next)), idsOf(heldOf(next))]).toEqual([idsOf(down(150, 0)), idsOf(down(1500, 150))]);
  expect(idsOf(shownOf(released(next)))).toEqual(idsOf(down(1500, 0)));
});

it('starts again with what it has read if the list is too far away', async () => {
  const newest = await readNewest(stored(9000), isKnown);
  expect([newest.kind, newest.runs.length]).toEqual(['apart', 5100]);
  const next = withNewest(list, newest, 'top');
  expect([idsOf(shownOf(next)), next.cursor]).toEqual([idsOf(down(9000, 3900)), '5100']);
});

it('leaves the rows in place while one reads elsewhere, and starts again when the new ones are shown', async () => {
  const newest = await readNewest(stored(9000), isKnown);
  const held = withNewest(list, newest, 'elsewhere');
  expect([shownOf(held), held.cursor, heldOf(held).length]).toEqual([list.runs, list.cursor, 5100]);
  const isHeld = (id: string) => isKnown(id) || heldOf(held).some((row) => row.id === id);
  const later = withNewest(held, await readNewest(stored(9010), isHeld), 'elsewhere');
  expect([shownOf(later), heldOf(later).length]).toEqual([list.runs, 5110]);
  const shown = released(later);
  expect([idsOf(shownOf(shown)), shown.cursor]).toEqual([idsOf(down(9010, 3900)), '5100']);
});

it('drops the rows that are no longer among all runs', async () => {
  const newest = await readNewest(stored(60), isKnown);
  for (const place of ['top', 'elsewhere'] as const) {
    const next = withNewest(list, newest, place);
    expect([idsOf(shownOf(next)), heldOf(next), next.cursor]).toEqual([idsOf(down(60, 0)), [], null]);
  }
});

it("keeps the service's order where times and ids tell another", async () => {
  const sameTime = (id: string) => ({ ...rowOf(0), id });
  const order = ['m', 'z', 'a', 'q', 'b'].map(sameTime);
  const part = { ...EMPTY_LIST, runs: order.slice(1, 3), cursor: 'c' };
  const all = { kind: 'all', runs: order, nextCursor: null } as const;
  const next = withNewest(part, all, 'elsewhere');
  expect([idsOf(shownOf(next)), idsOf(heldOf(next))]).toEqual([['z', 'a', 'q', 'b'], ['m']]);
  expect(idsOf(shownOf(released(next)))).toEqual(idsOf(order));
  const joined = { kind: 'joined', runs: order.slice(0, 2), nextCursor: 'c' } as const;
  expect(idsOf(shownOf(withNewest(part, joined, 'top')))).toEqual(['m', 'z', 'a']);
});

it('closes the hole above the shown runs when the newest ones reach them', async () => {
  const held = withNewest(list, await readNewest(stored(9000), isKnown), 'elsewhere');
  const met = { kind: 'joined', runs: down(160, 149), nextCursor: null } as const;
  expect(withNewest(held, met, 'elsewhere').heldCursor).toBeUndefined();
  const apart = { kind: 'joined', runs: down(9001, 8999), nextCursor: null } as const;
  expect(withNewest(held, apart, 'elsewhere').heldCursor).toBe('5100');
});

it('goes on from the last of the newest ones if they reach beyond the list', async () => {
  const beyond = { kind: 'apart', runs: down(155, 20), nextCursor: '130' } as const;
  const next = withNewest(list, beyond, 'elsewhere');
  expect([idsOf(heldOf(next)), idsOf(shownOf(next))]).toEqual([idsOf(down(155, 150)), idsOf(down(150, 20))]);
  expect([next.cursor, next.heldCursor]).toEqual(['130', undefined]);
});
