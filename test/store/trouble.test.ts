import { expect } from 'vitest';
import { CALLER_BUDGET_MS } from '../../src/core/call.ts';
import { DatabaseUnavailableError } from '../../src/core/errors/errors.ts';
import type { Store } from '../../src/core/store.ts';
import { contract } from '../support/contract.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { idle } from '../support/idle.ts';
import { rejectionOf } from '../support/runs.ts';
import { until } from '../support/until.ts';
import {
  all,
  append,
  claim,
  completed,
  enqueue,
  firing,
  listIds,
  newRun,
  newSchedule,
  newSignal,
  query,
  running,
} from './requests.ts';

const lease = { runId: 'unknown', fence: 1 };

/** Calls each method of the port once, except those that do not ask the database. */
const CALLS: Record<
  Exclude<
    keyof Store,
    'migrate' | 'enqueueIn' | 'transact' | 'appendsUnderWay' | 'trouble' | 'requests' | 'checkOpen'
  >,
  (store: Store) => Promise<unknown>
> = {
  enqueue: (store) => store.enqueue([newRun()]),
  claim: (store) => claim(store),
  wakeDue: (store) => store.wakeDue({ staleThresholdMs: 1_000 }),
  append: (store) => append(store, lease, [completed()]),
  settleAppend: (store) => store.settleAppend({ lease, number: 1 }),
  renew: (store) => store.renew([lease]),
  handBack: (store) => store.handBack([lease]),
  command: (store) => store.command('cancel', 'unknown'),
  commandAll: (store) =>
    store.commandAll({
      name: 'cancel',
      runs: [{ runId: 'unknown', jobName: 'job' }],
      statuses: ['pending'],
    }),
  reschedule: (store) => store.reschedule({ runId: 'unknown', due: { afterMs: 1 } }),
  countRuns: (store) => store.countRuns(),
  listLines: (store) => store.listLines(),
  findRuns: (store) => store.findRuns(query()),
  purgeRuns: (store) => store.purgeRuns({ ages: [{ status: 'failed', olderThanMs: 0 }], limit: 1 }),
  hasOldRuns: (store) => store.hasOldRuns([{ status: 'failed', olderThanMs: 0 }]),
  subscribe: (store) => store.subscribe({ endpoints: [], ofRuns: true }),
  purgeDeliveries: (store) => store.purgeDeliveries(),
  cancelBelow: (store) => store.cancelBelow(),
  fork: (store) => store.fork({ id: 'run_new', runId: 'unknown', from: 'one', payload: undefined }),
  signal: (store) => store.signal(newSignal('unknown')),
  listSignals: (store) => store.listSignals('unknown'),
  readSignal: (store) => store.readSignal(1),
  listKeysAbove: (store) => store.listKeysAbove('unknown'),
  getRun: (store) => store.getRun('unknown'),
  listRuns: (store) => store.listRuns(query()),
  listSteps: (store) => all(store.listSteps('unknown')),
  listLogs: (store) => all(store.listLogs({ runId: 'unknown', level: null, after: 0, limit: 1 })),
  listKnownSteps: (store) => store.listKnownSteps('unknown'),
  listKnown: (store) => store.listKnown(['unknown']),
  readStepOutputs: (store) => store.readStepOutputs({ runId: 'unknown', names: ['one'] }),
  journalHead: (store) => store.journalHead(),
  readJournal: (store) => store.readJournal({ after: 0, limit: 1, withLabels: true }),
  readRunJournal: (store) => store.readRunJournal({ runId: 'unknown', after: 0, limit: 1 }),
  readJournalData: (store) => store.readJournalData([1]),
  deletePortion: (store) => store.deletePortion(),
  purgePortion: (store) => store.purgePortion(),
  forgetThrottles: (store) => store.forgetThrottles(),
  setPaused: (store) => store.setPaused('unknown', false),
  listPausedJobs: (store) => store.listPausedJobs(),
  putSchedule: (store) => store.putSchedule(newSchedule()),
  getSchedule: (store) => store.getSchedule('unknown'),
  listSchedules: (store) => all(store.listSchedules()),
  pauseSchedule: (store) => store.pauseSchedule('unknown'),
  resumeSchedule: (store) => store.resumeSchedule({ id: 'unknown', revision: '1', nextAtMs: null }),
  deleteSchedule: (store) => store.deleteSchedule({ id: 'unknown' }),
  fireSlots: (store) => store.fireSlots([firing()]),
  fireSchedule: (store) => store.fireSchedule({ id: 'unknown', runId: 'run_new' }),
  listJobSchedules: (store) => store.listJobSchedules({ jobNames: ['job'], atMost: 1 }),
  foldStats: (store) => store.foldStats(),
  readStats: (store) => store.readStats({ spanMs: 60_000, since: { agoMs: 0 }, jobNames: null, limit: 1 }),
  noteWorker: (store) =>
    store.noteWorker({ instance: 'w', version: '1', inUse: 0, slots: 1, jobs: [], isOnDemand: false }),
  forgetWorker: (store) => store.forgetWorker('w', Number.POSITIVE_INFINITY),
  listWorkers: (store) => store.listWorkers(),
  readOverview: (store) => store.readOverview(),
  noticeLimits: (store) => store.noticeLimits(),
  ping: (store) => store.ping(),
};

contract('Store.migrate', (test) => {
  test('makes an empty database usable, and keeps existing data', async ({ world }) => {
    const { store } = await world.store({ content: 'empty' });
    await store.migrate();
    await store.ping();
    const id = await enqueue(store);
    await store.migrate();
    expect(await listIds(store)).toEqual([id]);
  });

  test('may be called by several processes at once', async ({ world }) => {
    const stores = await Promise.all([1, 2, 3].map(() => world.store({ content: 'empty' })));
    await Promise.all(stores.map(({ store }) => store.migrate()));
    for (const { store } of stores) await enqueue(store);
    expect(await listIds(stores[0]?.store as Store)).toHaveLength(3);
  });
});

contract('a database that is not migrated', (test) => {
  test('is unavailable for every method', async ({ world }) => {
    const { store } = await world.store({ content: 'empty' });
    for (const [name, call] of Object.entries(CALLS)) {
      const error = await rejectionOf(call(store));
      expect(error, name).toBeInstanceOf(DatabaseUnavailableError);
      expect(error, name).toMatchObject({ permanent: false });
    }
    await store.migrate();
    for (const call of Object.values(CALLS)) await call(store);
  });
});

contract('a connection that was closed by its owner', (test) => {
  test('is permanently unavailable for every method', async ({ world }) => {
    const { store, close } = await world.store();
    await enqueue(store);
    await close();
    for (const [name, call] of Object.entries(CALLS)) {
      const error = await rejectionOf(call(store));
      expect(error, name).toBeInstanceOf(DatabaseUnavailableError);
      expect(error, name).toMatchObject({ permanent: true });
    }
  });
});

contract(
  'a database that others keep locked',
  (test) => {
    test('is unavailable for a write that has waited for its budget, and nothing of it is stored', async ({
      world,
    }) => {
      const clock = new FakeClock();
      const { store } = await world.store({ clock });
      const tools = await world.tools();
      const run = await running(store);
      const release = await tools.lock();
      const calls = [store.enqueue([newRun()]), store.command('cancel', run.runId)];
      const claiming = claim(store, { deadlineMs: clock.monotonicMs() + 1_000 });
      const failures: Error[] = [];
      for (const call of [claiming, ...calls]) call.catch((error: Error) => failures.push(error));
      const pass = async (condition: () => boolean) =>
        await until(async () => {
          if (condition()) return true;
          await idle();
          clock.advance(100);
          return false;
        });
      await pass(() => failures.length === 1);
      expect(clock.monotonicMs()).toBeGreaterThanOrEqual(1_000);
      expect(clock.monotonicMs()).toBeLessThan(2_000);
      // Reads are answered meanwhile.
      expect(await store.getRun(run.runId)).toMatchObject({ status: 'running' });
      await pass(() => failures.length === 3);
      expect(clock.monotonicMs()).toBeGreaterThanOrEqual(CALLER_BUDGET_MS);
      for (const failure of failures) {
        expect(failure).toBeInstanceOf(DatabaseUnavailableError);
        expect(failure).toMatchObject({ permanent: false });
      }
      await release();
      expect(await listIds(store)).toEqual([run.runId]);
      expect(await store.getRun(run.runId)).toMatchObject({ status: 'running' });
    });

    test('is waited for until the budget is used up', async ({ world }) => {
      const { store } = await world.store();
      const tools = await world.tools();
      const release = await tools.lock();
      const stored = store.enqueue([newRun()]);
      await store.journalHead();
      await release();
      expect(await stored).toMatchObject([{ disposition: 'created' }]);
    });
  },
  ({ locks }) => locks === 'refuse',
);
