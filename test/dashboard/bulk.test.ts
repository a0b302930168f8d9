import { expect, it } from 'vitest';
import type { DurablyClient } from '../../src/client.ts';
import { commandEach, MAX_RUNS, matchingRuns } from '../../src/dashboard/runs/bulk.ts';

/** A service whose list gives these pages, and what it was asked. */
function serviceOf(pages: readonly (readonly string[])[]) {
  const asked: unknown[] = [];
  const runPages = async function* (filter: unknown) {
    asked.push(filter);
    for (const page of pages) yield page.map((id) => ({ id }));
  };
  return { asked, service: { runPages } as unknown as DurablyClient };
}

it('collects each run that matches once, and only those to which the command applies', async () => {
  const { asked, service } = serviceOf([
    ['a', 'b'],
    ['b', 'c'],
  ]);
  expect(await matchingRuns(service, 'retry', { status: ['completed', 'failed'] })).toEqual({
    ids: ['a', 'b', 'c'],
    hasMore: false,
  });
  expect(asked).toMatchObject([{ status: ['failed'], fields: ['id'] }]);
});

it('asks nothing if the filter has no status to which the command applies', async () => {
  const { asked, service } = serviceOf([['a']]);
  expect(await matchingRuns(service, 'retry', { status: ['running'] })).toEqual({ ids: [], hasMore: false });
  expect(asked).toEqual([]);
});

it('stops collecting at the most runs that a command takes, and says so', async () => {
  const { service } = serviceOf([Array.from({ length: MAX_RUNS + 1 }, (_, i) => `run_${i}`), ['last']]);
  const { ids, hasMore } = await matchingRuns(service, 'delete', {});
  expect([ids.length, hasMore]).toEqual([MAX_RUNS, true]);
});

it('retries each run once, also if it fails again, and begins none after it was stopped', async () => {
  const stop = new AbortController();
  const retried: string[] = [];
  const retry = async (id: string) => {
    retried.push(id);
    if (id === '2') throw new Error('no');
    if (id === '3') stop.abort();
  };
  const ids = Array.from({ length: 50 }, (_, i) => String(i));
  const service = { retry } as unknown as DurablyClient;
  const { done, failures } = await commandEach(service, 'retry', ids, stop.signal);
  expect(new Set(retried).size).toBe(retried.length);
  expect(retried.length).toBeLessThan(50);
  expect([done, failures.length]).toEqual([retried.length - 1, 1]);
});
