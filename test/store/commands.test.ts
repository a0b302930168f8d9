import { expect } from 'vitest';
import { RUN_STATUSES, RUN_TRANSITIONS, type RunCommand, type RunStatus } from '../../src/core/run.ts';
import type { Store } from '../../src/core/store.ts';
import { contract } from '../support/contract.ts';
import {
  all,
  append,
  claimOne,
  completed,
  enqueue,
  entry,
  eventTypes,
  failed,
  listIds,
  running,
  snapshot,
  stepCompleted,
} from './requests.ts';

const COMMANDS: readonly RunCommand[] = ['cancel', 'retry', 'delete'];
const CASES = COMMANDS.flatMap((command) => RUN_STATUSES.map((status) => ({ command, status })));

/** Makes a run in that status and returns its id. */
const IN_STATE: Record<RunStatus, (store: Store) => Promise<string>> = {
  pending: (store) => enqueue(store),
  waiting: (store) => enqueue(store, { due: { afterMs: 60_000 } }),
  running: async (store) => (await running(store)).runId,
  completed: async (store) => {
    const run = await running(store);
    await append(store, run, [completed()]);
    return run.runId;
  },
  failed: async (store) => {
    const run = await running(store);
    const progress = entry({ type: 'run:progress', data: '{"current":1}' });
    await append(store, run, [stepCompleted('one', 0), progress, failed()]);
    return run.runId;
  },
  cancelled: async (store) => {
    const id = await enqueue(store);
    await store.command('cancel', id);
    return id;
  },
};

function isLegal(command: RunCommand, status: RunStatus): boolean {
  return RUN_TRANSITIONS[command].from.some((each) => each === status);
}

contract('Store.command', (test) => {
  test.for(CASES)('$command of a run that is $status', async ({ command, status }, { world }) => {
    const { store } = await world.store();
    const id = await IN_STATE[status](store);
    const before = await snapshot(store, id);
    expect(before.run?.status).toBe(status);
    const result = await store.command(command, id);
    if (!isLegal(command, status)) {
      expect(result).toEqual({ kind: 'wrong-state', status });
      expect(await snapshot(store, id)).toEqual(before);
      return;
    }
    expect(result).toEqual({ kind: 'done', jobName: 'job', leavesMore: false, alsoCancelled: [] });
    expect((await store.getRun(id))?.status ?? null).toBe(RUN_TRANSITIONS[command].to);
    const events = command === 'delete' ? [] : before.events.map(({ type }) => type);
    expect(await eventTypes(store, id)).toEqual([...events, `run:${command}`]);
  });

  test.for(COMMANDS)('%s of an unknown run', async (command, { world }) => {
    const { store } = await world.store();
    expect(await store.command(command, 'unknown')).toEqual({ kind: 'not-found' });
    expect(await store.journalHead()).toBe(0);
  });

  test.for(COMMANDS)('%s by several callers at once takes effect once', async (command, { world }) => {
    const stores = await Promise.all([world.store(), world.store()]);
    const status: RunStatus = command === 'cancel' ? 'pending' : 'failed';
    const id = await IN_STATE[status](stores[0].store);
    const calls = stores.flatMap(({ store }) => [store.command(command, id), store.command(command, id)]);
    const kinds = (await Promise.all(calls)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'done')).toHaveLength(1);
    const loses = command === 'delete' ? 'not-found' : 'wrong-state';
    expect(kinds.filter((kind) => kind === loses)).toHaveLength(3);
    expect((await eventTypes(stores[0].store, id)).filter((type) => type === `run:${command}`)).toHaveLength(
      1,
    );
  });

  test('retry keeps only the finished steps of the earlier attempt, and opens another', async ({ world }) => {
    const { store } = await world.store();
    const id = await IN_STATE.failed(store);
    await store.command('retry', id);
    expect(await store.getRun(id)).toMatchObject({
      status: 'pending',
      attempt: 1,
      stepCount: 1,
      progress: null,
      output: null,
      error: null,
      errorDetail: null,
      failedStepName: null,
      completedAt: null,
      heartbeatAt: null,
      startedAt: expect.any(String),
    });
    expect(await claimOne(store)).toMatchObject({ runId: id, kind: 'start', attempt: 2, stepCount: 1 });
    expect((await store.listKnownSteps(id)).map(({ name }) => name)).toEqual(['one']);
  });

  test('cancel sets the time at which the run ended', async ({ world }) => {
    const { store } = await world.store();
    const id = await IN_STATE.running(store);
    await store.command('cancel', id);
    expect(await store.getRun(id)).toMatchObject({ completedAt: expect.any(String), error: null });
  });

  test('delete leaves only its own event, which has the labels', async ({ world }) => {
    const { store } = await world.store();
    const run = await running(store, { labels: '{"tenant":"a"}' });
    const line = entry({ type: 'log:write', level: 'info', message: 'line' });
    await append(store, run, [stepCompleted('one', 0), line, completed()]);
    await store.command('delete', run.runId);
    const id = run.runId;
    expect(await store.getRun(id)).toBeNull();
    expect(await listIds(store)).toEqual([]);
    expect(await listIds(store, { labels: [['tenant', 'a']] })).toEqual([]);
    expect(await all(store.listSteps(id))).toEqual([]);
    expect(await store.listKnownSteps(id)).toEqual([]);
    expect(await all(store.listLogs({ runId: id, level: null, after: 0, limit: 100 }))).toEqual([]);
    const rows = await store.readJournal({ after: 0, limit: 100, withLabels: true });
    const seen = rows.filter(({ isLeftOver }) => !isLeftOver);
    expect(seen).toMatchObject([{ type: 'run:delete', runId: id, jobName: 'job', labels: '{"tenant":"a"}' }]);
  });
});
