import { expect } from 'vitest';
import type { ClaimedRun } from '../../src/core/ownership/claim.ts';
import type { Store } from '../../src/core/store.ts';
import type { DatabaseTools } from '../support/backend.ts';
import { contract } from '../support/contract.ts';
import {
  append,
  claimOne,
  completed,
  entry,
  eventTypes,
  failed,
  running,
  STALE_MS,
  snapshot,
  stepCompleted,
} from './requests.ts';

type LeaseEnd = [why: string, end: (store: Store, run: ClaimedRun, tools: DatabaseTools) => Promise<unknown>];

const LEASE_ENDS: LeaseEnd[] = [
  ['was cancelled', (store, { runId }) => store.command('cancel', runId)],
  ['was handed back', (store, run) => store.handBack([run])],
  ['has completed', (store, run) => append(store, run, [completed()])],
  ['has failed', (store, run) => append(store, run, [failed()])],
  [
    'was taken over',
    async (store, { runId }, tools) => {
      await tools.ageHeartbeat(runId, STALE_MS + 1_000);
      await claimOne(store);
    },
  ],
  [
    'was handed back and claimed again',
    async (store, run) => {
      await store.handBack([run]);
      await claimOne(store);
    },
  ],
  [
    'was cancelled, retried and claimed again',
    async (store, { runId }) => {
      await store.command('cancel', runId);
      await store.command('retry', runId);
      await claimOne(store);
    },
  ],
  [
    'was deleted',
    async (store, { runId }) => {
      await store.command('cancel', runId);
      await store.command('delete', runId);
    },
  ],
];

contract('an owner whose run', (test) => {
  test.for(LEASE_ENDS)('%s changes nothing any more', async ([, end], { world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const run = await running(store);
    await end(store, run, tools);
    const before = await snapshot(store, run.runId);
    const entries = [stepCompleted('late', 0), entry({ type: 'run:progress', data: '{"current":9}' })];
    expect(await append(store, run, entries, 2)).toBe('refused');
    expect(await append(store, run, [completed('"late"')], 3)).toBe('refused');
    expect(await store.renew([run])).toEqual([]);
    expect(await store.handBack([run])).toEqual([]);
    expect(await snapshot(store, run.runId)).toEqual(before);
  });

  test('another process cancels at the same moment ends the run once', async ({ world }) => {
    const [one, other] = await Promise.all([world.store(), world.store()]);
    const run = await running(one.store);
    const [appended, commanded] = await Promise.all([
      append(one.store, run, [completed()]),
      other.store.command('cancel', run.runId),
    ]);
    const isCompleted = appended === 'stored';
    expect(commanded.kind).toBe(isCompleted ? 'wrong-state' : 'done');
    const types = await eventTypes(one.store, run.runId);
    expect(types.slice(2)).toEqual([isCompleted ? 'run:complete' : 'run:cancel']);
  });
});
