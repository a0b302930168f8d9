import { expect } from 'vitest';
import type { EventCursor, StreamedEvent } from '../../../src/core/feeds.ts';
import { contract } from '../../support/contract.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { untilStatus } from '../../support/runs.ts';
import { deferred } from '../../support/until.ts';

/** Reads until it has this many events. */
async function take(cursor: EventCursor, count: number): Promise<StreamedEvent[]> {
  const taken: StreamedEvent[] = [];
  while (taken.length < count) {
    const events = await cursor.next();
    if (events === null) break;
    taken.push(...events);
  }
  return taken;
}

const stepped = job('stepped', async (step) => {
  for (const name of ['a', 'b', 'c']) await step.run(name, () => step.log.info(name));
});

contract("a run's feed", (test) => {
  test('continues after each event without a gap or a duplicate', async ({ world }) => {
    const { durably } = await world.start();
    const { id } = await durably.register({ stepped }).stepped.triggerAndWait(0);
    const whole = await durably.openRunFeed(id);
    if (whole.kind !== 'open') throw new Error('not open');
    const all = await take(whole.cursor, 100);
    expect(all).toHaveLength(12);
    for (const [i, { sequence: after }] of all.slice(0, -1).entries()) {
      const feed = await durably.openRunFeed(id, { after });
      if (feed.kind !== 'open') throw new Error('not open');
      expect((await take(feed.cursor, 100)).map(({ json }) => json)).toEqual(
        all.slice(i + 1).map(({ json }) => json),
      );
    }
    expect(await durably.openRunFeed(id, { after: all.at(-1)?.sequence })).toEqual({ kind: 'ended' });
  });

  test('continues from the head if it starts beyond the head', async ({ world }) => {
    const { durably } = await world.start();
    const { stepped: handle } = durably.register({ stepped });
    const gate = deferred();
    const { held } = durably.register({ held: job('held', () => gate.promise) });
    const { id } = await held.trigger(0);
    await untilStatus(durably, id, 'running');
    const feed = await durably.openRunFeed(id, { after: 1_000_000 });
    const list = await durably.openRunListFeed({ after: 1_000_000 });
    gate.resolve();
    if (feed.kind !== 'open') throw new Error('not open');
    expect((await take(feed.cursor, 1)).map(({ event }) => event.type)).toEqual(['run:complete']);
    expect((await take(list.cursor, 1)).map(({ event }) => event.type)).toEqual(['run:complete']);
    list.cursor.close();
    await handle.triggerAndWait(0);
  });

  test('reports an unknown run', async ({ world }) => {
    const { durably } = await world.idle();
    expect(await durably.openRunFeed('run_unknown')).toEqual({ kind: 'not-found' });
    expect(await durably.openRunFeed('run_unknown', { after: 5 })).toEqual({ kind: 'not-found' });
  });

  test('ends for a reader of a deleted run that has seen its deletion', async ({ world }) => {
    const { durably } = await world.idle();
    const run = await durably.register({ echo }).echo.trigger(0);
    await durably.cancel(run.id);
    const list = await durably.openRunListFeed();
    await durably.deleteRun(run.id);
    const [deleted] = await take(list.cursor, 1);
    list.cursor.close();
    expect(deleted?.event.type).toBe('run:delete');
    expect(await durably.openRunFeed(run.id)).toEqual({ kind: 'not-found' });
    expect(await durably.openRunFeed(run.id, { after: deleted?.sequence })).toEqual({ kind: 'ended' });
    const before = await durably.openRunFeed(run.id, { after: (deleted?.sequence ?? 0) - 1 });
    if (before.kind !== 'open') throw new Error('not open');
    expect((await take(before.cursor, 10)).map(({ event }) => event.type)).toEqual(['run:delete']);
  });

  test('ends when it is closed while it waits', async ({ world }) => {
    const { durably } = await world.idle();
    const run = await durably.register({ echo }).echo.trigger(0);
    const feed = await durably.openRunFeed(run.id);
    if (feed.kind !== 'open') throw new Error('not open');
    await take(feed.cursor, 1);
    const waiting = feed.cursor.next();
    await idle();
    feed.cursor.close();
    feed.cursor.close();
    expect(await waiting).toBeNull();
    expect(await feed.cursor.next()).toBeNull();
  });
});

contract('the feed of all runs', (test) => {
  test('starts from now, with run and step events and without log lines', async ({ world }) => {
    const { durably } = await world.start();
    const handle = durably.register({ stepped }).stepped;
    await handle.triggerAndWait(0);
    const { after, cursor } = await durably.openRunListFeed();
    const { id } = await handle.triggerAndWait(1);
    const events = await take(cursor, 9);
    cursor.close();
    const steps = ['step:start', 'step:complete'];
    expect(events.map(({ event }) => event.type)).toEqual([
      ...['run:trigger', 'run:start', ...steps, ...steps, ...steps, 'run:complete'],
    ]);
    for (const { event, sequence, json } of events) {
      expect(event.runId).toBe(id);
      expect(sequence).toBe(event.sequence);
      expect(sequence).toBeGreaterThan(after);
      expect(JSON.parse(json)).toEqual(event);
    }
  });

  test('continues after a sequence in another instance, with the same bytes', async ({ world }) => {
    const { durably } = await world.start({ maxConcurrentRuns: 3 });
    const { durably: other } = await world.idle({ pollingInterval: 5 });
    const handle = durably.register({ stepped }).stepped;
    const start = await durably.openRunListFeed();
    const runs = await handle.batchTrigger([1, 2, 3, 4]);
    const all = await take(start.cursor, 36);
    start.cursor.close();
    for (const { id } of runs) await untilStatus(durably, id, 'completed');
    for (const after of [start.after, all[0]?.sequence, all[17]?.sequence, all[34]?.sequence]) {
      const feed = await other.openRunListFeed({ after });
      expect(feed.after).toBe(after);
      const rest = all.filter(({ sequence }) => sequence > (after ?? 0));
      expect((await take(feed.cursor, rest.length)).map(({ json }) => json)).toEqual(
        rest.map(({ json }) => json),
      );
      feed.cursor.close();
    }
  });

  test('can be restricted to some jobs', async ({ world }) => {
    const { durably } = await world.start();
    const handles = durably.register({ a: job('a', () => 1), b: job('b', () => 1), c: job('c', () => 1) });
    const { cursor } = await durably.openRunListFeed({ jobNames: ['a', 'c'] });
    for (const handle of [handles.b, handles.a, handles.b, handles.c]) await handle.triggerAndWait(0);
    const events = await take(cursor, 6);
    cursor.close();
    expect(events.map(({ event }) => event.jobName)).toEqual(['a', 'a', 'a', 'c', 'c', 'c']);
  });

  test('starts at 0 with an empty journal and receives the first event', async ({ world }) => {
    const { durably } = await world.idle();
    const { after, cursor } = await durably.openRunListFeed();
    expect(after).toBe(0);
    const run = await durably.register({ echo }).echo.trigger(0);
    expect((await take(cursor, 1))[0]?.event).toMatchObject({ type: 'run:trigger', runId: run.id });
    cursor.close();
  });

  test('gives a slow reader every event, however far behind it is', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const { cursor } = await durably.openRunListFeed();
    const fast = await durably.openRunListFeed();
    for (let i = 0; i < 3; i++)
      await handle.batchTrigger(Array.from({ length: 1000 }, (_, n) => i * 1000 + n));
    const seen = await take(fast.cursor, 3000);
    const slow = await take(cursor, 3000);
    expect(slow.map(({ sequence }) => sequence)).toEqual(seen.map(({ sequence }) => sequence));
    expect(new Set(slow.map(({ event }) => event.runId)).size).toBe(3000);
    fast.cursor.close();
    cursor.close();
  });

  test('gives the events of two writing instances in one order, without a gap', async ({ world }) => {
    const first = await world.start({ maxConcurrentRuns: 5, pollingInterval: 5 });
    const second = await world.start({ maxConcurrentRuns: 5, pollingInterval: 5 });
    const handles = [first, second].map(({ durably }) => durably.register({ stepped }).stepped);
    const feeds = await Promise.all(
      [first, second].map(({ durably }) => durably.openRunListFeed({ after: 0 })),
    );
    await Promise.all(Array.from({ length: 20 }, (_, i) => handles[i % 2]?.trigger(i)));
    const read = await Promise.all(feeds.map(({ cursor }) => take(cursor, 180)));
    for (const { cursor } of feeds) cursor.close();
    expect(read[0]?.map(({ json }) => json)).toEqual(read[1]?.map(({ json }) => json));
    const sequences = read[0]?.map(({ sequence }) => sequence) ?? [];
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
    expect(new Set(sequences).size).toBe(180);
  });
});
