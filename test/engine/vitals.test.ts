import { expect, it } from 'vitest';
import { getVitals } from '../../src/engine/runs/managing/vitals.ts';
import { FakeClock } from '../support/fake-clock.ts';

type Deps = Parameters<typeof getVitals>[0];

/** An instance whose database never answers. */
function hanging() {
  const clock = new FakeClock();
  let asked = 0;
  const never = () => {
    asked++;
    return new Promise<never>(() => undefined);
  };
  const deps = {
    clock,
    store: { listLines: never, requests: () => 'requests' },
    registry: { claimedNames: () => [], get: () => undefined },
    worker: { slots: { inUse: 1, of: 4 } },
    feed: { readers: 2 },
  };
  return { deps: deps as unknown as Deps, clock, asked: () => asked };
}

it('tells what the process knows of itself if the database does not answer, and asks that once', async () => {
  const { deps, clock, asked } = hanging();
  const both = Promise.all([getVitals(deps), getVitals(deps)]);
  await clock.advance(3_000);
  const known = { slots: { inUse: 1, of: 4 }, streams: 2, jobs: null, otherJobs: null, database: 'requests' };
  expect(await both).toEqual([known, known]);
  expect(asked()).toBe(1);
});
