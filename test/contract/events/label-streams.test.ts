import { expect } from 'vitest';
import type { EventCursor, StreamedEvent } from '../../../src/core/feeds.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { untilStatus } from '../../support/runs.ts';

/** Reads until it has this many events. */
async function take(cursor: EventCursor, count: number): Promise<StreamedEvent[]> {
  const taken: StreamedEvent[] = [];
  while (taken.length < count) taken.push(...((await cursor.next()) ?? []));
  return taken;
}

async function takeUntilEnd(cursor: EventCursor, runId: string): Promise<StreamedEvent[]> {
  const taken: StreamedEvent[] = [];
  const isEnd = ({ event }: StreamedEvent) => event.type === 'run:complete' && event.runId === runId;
  while (!taken.some(isEnd)) taken.push(...((await cursor.next()) ?? []));
  return taken;
}

const typesByRun = (events: readonly StreamedEvent[]) =>
  events.map(({ event }) => [event.type, 'runId' in event ? event.runId : null]);

contract('streams by labels', (test) => {
  test('contain all events of matching runs, including deletions, and no others', async ({ world }) => {
    const { durably } = await world.start();
    const { steady } = durably.register({ steady: job('steady', (step) => step.run('only', () => 1)) });
    const labels = { org: '1', stage: 'live' };
    const { cursor } = await durably.openRunListFeed({ labels });
    const whole = await durably.openRunListFeed();
    const inputs = [labels, { org: '1' }, {}, { ...labels, more: 'x' }, { org: '2', stage: 'live' }];
    const runs: string[] = [];
    for (const each of inputs) {
      const { id } = await steady.trigger(0, { labels: each });
      await untilStatus(durably, id, 'completed');
      await durably.deleteRun(id);
      runs.push(id);
    }
    const last = await steady.trigger(0, { labels });
    await untilStatus(durably, last.id, 'completed');
    // A deleted run's other events are seen only by streams that read them in time.
    const ours = await takeUntilEnd(cursor, last.id);
    for (const id of [runs[1], runs[2], runs[4]]) {
      expect(typesByRun(ours).filter(([, runId]) => runId === id)).toEqual([]);
    }
    expect(typesByRun(ours).filter(([type]) => type === 'run:delete')).toEqual([
      ['run:delete', runs[0]],
      ['run:delete', runs[3]],
    ]);
    expect(
      typesByRun(ours)
        .filter(([, id]) => id === last.id)
        .map(([type]) => type),
    ).toEqual([...['run:trigger', 'run:start', 'step:start', 'step:complete', 'run:complete']]);
    // The bytes are the same as for other streams, since events contain no labels.
    const everything = await takeUntilEnd(whole.cursor, last.id);
    const bytes = new Set(everything.map(({ json }) => json));
    for (const { json } of ours) {
      expect(bytes.has(json)).toBe(true);
      expect(json).not.toContain('live');
    }
    cursor.close();
    whole.cursor.close();
  });

  test('resume after any of their events, also in another process', async ({ world }) => {
    const { durably } = await world.idle();
    const { durably: other } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const labels = { org: '1' };
    const { cursor: closed, after: start } = await durably.openRunListFeed({ labels });
    closed.close();
    for (let i = 0; i < 4; i++) {
      const [run] = await handle.batchTrigger([
        { input: i, options: { labels } },
        { input: i, options: { labels: { org: '2' } } },
        i,
      ]);
      await durably.cancel(run?.id ?? '');
      if (i % 2 === 0) await durably.deleteRun(run?.id ?? '');
    }
    // Only the deletion remains of a deleted run.
    const { cursor } = await durably.openRunListFeed({ after: start, labels });
    const seen = await take(cursor, 6);
    cursor.close();
    expect(seen.map(({ event }) => event.type)).toEqual([
      ...['run:delete', 'run:trigger', 'run:cancel', 'run:delete', 'run:trigger', 'run:cancel'],
    ]);
    for (const after of [start, ...seen.slice(0, -1).map(({ sequence }) => sequence)]) {
      for (const instance of [durably, other]) {
        const feed = await instance.openRunListFeed({ after, labels });
        const rest = seen.filter(({ sequence }) => sequence > after);
        expect((await take(feed.cursor, rest.length)).map(({ json }) => json)).toEqual(
          rest.map(({ json }) => json),
        );
        feed.cursor.close();
      }
    }
  });

  test('combine with other filters, and run beside streams without labels', async ({ world }) => {
    const { durably } = await world.idle();
    const handles = durably.register({ a: job('a', () => 1), b: job('b', () => 1) });
    const whole = await durably.openRunListFeed();
    const early = await handles.a.trigger(0, { labels: { org: '1' } });
    // The tail is well ahead when the stream by labels joins and asks for past events.
    expect(typesByRun(await take(whole.cursor, 1))).toEqual([['run:trigger', early.id]]);
    const narrow = await durably.openRunListFeed({ after: 0, jobNames: ['a'], labels: { org: '1' } });
    expect(typesByRun(await take(narrow.cursor, 1))).toEqual([['run:trigger', early.id]]);
    await handles.b.trigger(0, { labels: { org: '1' } });
    await handles.a.trigger(0);
    const late = await handles.a.trigger(0, { labels: { org: '1' } });
    expect(typesByRun(await take(narrow.cursor, 1))).toEqual([['run:trigger', late.id]]);
    expect(await take(whole.cursor, 3)).toHaveLength(3);
    narrow.cursor.close();
    whole.cursor.close();
  });
});
