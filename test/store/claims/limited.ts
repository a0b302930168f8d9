import { expect } from 'vitest';
import type { Store } from '../../../src/core/store.ts';
import type { JobLimits } from '../../../src/core/triggers/limits.ts';
import { append, completed, enqueue, entry } from '../requests.ts';

/** Limits of the job that a claim asks for. */
export function limits(given: Partial<JobLimits>): { limits: JobLimits[] } {
  return {
    limits: [
      {
        jobName: 'job',
        limit: undefined,
        perKey: undefined,
        whileWaiting: 'release',
        throttle: undefined,
        ...given,
      },
    ],
  };
}

export async function end(store: Store, runId: string, fence = 1) {
  expect(await append(store, { runId, fence }, [completed()])).toBe('stored');
}

/** The ids of that many new runs. */
export async function many(store: Store, count: number, given: Parameters<typeof enqueue>[1] = {}) {
  const ids = [];
  for (let i = 0; i < count; i++) ids.push(await enqueue(store, given));
  return ids;
}

/** What puts a run to wait until that time, ms since the epoch. */
export const waitUntil = (until: number, stepName = 'rest') =>
  entry({
    type: 'run:wait',
    data: JSON.stringify({
      dueAt: until,
      waits: [{ kind: 'sleep', stepName, until: new Date(until).toISOString() }],
    }),
  });
