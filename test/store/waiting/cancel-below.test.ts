import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { append, claim, running } from '../requests.ts';
import { starts, waitsFor } from './started-runs.ts';

contract('Store.cancelBelow', (test) => {
  test('cancels what is active below runs whose time was up, and nothing else', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const parents: string[] = [];
    for (const timeout of [{ ms: 3_600_000, text: '1h' }, undefined]) {
      const parent = await running(store, { timeout });
      const { child, note } = starts('one');
      await append(store, parent, [note, waitsFor(child.id)]);
      parents.push(parent.runId, child.id);
    }
    const [late = '', below = '', other = '', belowOther = ''] = parents;
    await tools.ageDeadline(late, 3_600_000);
    expect(await store.cancelBelow()).toEqual({ cancelled: [], more: false });
    await claim(store, { jobNames: ['none'] });
    expect(await store.getRun(late)).toMatchObject({ status: 'failed', error: 'timed out after 1h' });
    expect(await store.cancelBelow()).toEqual({
      cancelled: [{ runId: below, jobName: 'child' }],
      more: true,
    });
    expect(await store.cancelBelow()).toEqual({ cancelled: [], more: false });
    const rest = await Promise.all([other, belowOther].map((id) => store.getRun(id)));
    expect(rest.map((run) => run?.status)).toEqual(['waiting', 'pending']);
  });
});

contract('Store.command, for a run with runs below that are yet to be cancelled', (test) => {
  test('neither retries nor deletes it before that', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const parent = await running(store, { timeout: { ms: 3_600_000, text: '1h' } });
    const { child, note } = starts('one');
    await append(store, parent, [note, waitsFor(child.id)]);
    await tools.ageDeadline(parent.runId, 3_600_000);
    await claim(store, { jobNames: ['none'] });
    const runs = [{ runId: parent.runId, jobName: 'job' }];
    for (const name of ['retry', 'delete'] as const) {
      expect(await store.command(name, parent.runId)).toEqual({ kind: 'cancels-below' });
      expect(await store.commandAll({ name, runs, statuses: ['failed'] })).toEqual({
        changed: [],
        leavesBelow: true,
      });
    }
    expect(await store.cancelBelow('run_other')).toEqual({ cancelled: [], more: false });
    expect(await store.cancelBelow(parent.runId)).toEqual({
      cancelled: [{ runId: child.id, jobName: 'child' }],
      more: false,
    });
    expect(await store.command('retry', parent.runId)).toMatchObject({ kind: 'done' });
    expect((await store.getRun(parent.runId))?.status).toBe('pending');
  });
});

contract('Store.cancelBelow, of many', (test) => {
  test('goes through them in portions, also if the first ones have no runs below', async ({ world }) => {
    const { store } = await world.store();
    const tools = await world.tools();
    const below: string[] = [];
    for (let i = 0; i < 45; i++) {
      const parent = await running(store, { timeout: { ms: 3_600_000, text: '1h' } });
      const { child, note } = starts('one');
      await append(store, parent, i < 44 ? [waitsFor('run_other')] : [note, waitsFor(child.id)]);
      below.push(child.id);
      await tools.ageDeadline(parent.runId, 3_600_000);
    }
    await claim(store, { jobNames: ['none'] });
    for (let more = true; more; ) ({ more } = await store.cancelBelow());
    expect((await store.getRun(below.at(-1) ?? ''))?.status).toBe('cancelled');
  });
});
