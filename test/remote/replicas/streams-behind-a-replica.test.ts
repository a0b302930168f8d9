import { describe, expect, test } from 'vitest';
import { echo, job } from '../../support/jobs.ts';
import { nextEvent, readAll, untilStatus } from '../../support/runs.ts';
import { behindReplica, flaky, journalOf } from './behind-replica.ts';

const sequencesOf = (events: readonly { readonly sequence: number }[]) =>
  events.map(({ sequence }) => sequence);

describe('a stream behind a replica', () => {
  test.each(['one replica', 'two replicas in turn'])(
    'misses nothing and doubles nothing: %s',
    async (kind) => {
      const { behind, primary, replica } = await behindReplica();
      const advance = kind === 'one replica' ? () => replica.catchUp() : () => replica.alternate();
      replica.every(3, advance);
      const { stepped } = behind.register({
        stepped: job('stepped', async (step) => {
          for (let i = 0; i < 8; i++) {
            await step.run(`step ${i}`, () => {
              // Larger than what comes with a page: it is read apart.
              step.log.info('large', 'x'.repeat(20_000));
              return 'y'.repeat(10_000);
            });
          }
        }),
      });
      await behind.init();
      const runs = await stepped.batchTrigger([0, 1, 2]);
      const streams = runs.map(({ id }) => readAll(behind.subscribe(id)));
      for (const { id } of runs) await untilStatus(primary, id, 'completed');
      await replica.catchUp();
      for (const [i, { id }] of runs.entries()) {
        const events = (await streams[i]) ?? [];
        const journal = await journalOf(primary, id);
        expect(sequencesOf(events)).toEqual(sequencesOf(journal));
        expect(events).toEqual(journal);
      }
    },
  );

  test('is not shown again what it has seen, and goes on from there', async () => {
    const { behind, primary, replica } = await behindReplica();
    const { echo: handle } = primary.register({ echo });
    await handle.batchTrigger([1, 2, 3]);
    const seen = (await primary.openRunListFeed()).after;
    const { after, cursor } = await behind.openRunListFeed({ after: seen });
    expect(after).toBe(seen);
    const { id } = await handle.trigger(4);
    await replica.catchUp();
    const [event] = (await cursor.next()) ?? [];
    expect(event?.event).toMatchObject({ type: 'run:trigger', runId: id });
    cursor.close();
  });

  test('catches up by pages of old states without skipping what they lack', async () => {
    const { behind, primary, replica } = await behindReplica();
    const { echo: handle } = primary.register({ echo });
    await handle.batchTrigger(Array.from({ length: 20 }, (_, i) => i));
    await replica.catchUp();
    await handle.batchTrigger(Array.from({ length: 20 }, (_, i) => i));
    // Pages of either state follow heads of the other one.
    await replica.alternate();
    for (let i = 0; i < 4; i++) {
      const { cursor } = await behind.openRunListFeed({ after: 0 });
      const taken: number[] = [];
      while (taken.length < 40) taken.push(...sequencesOf((await cursor.next()) ?? []));
      cursor.close();
      expect(taken).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
    }
  });

  test('of a run that was retried here does not end at its earlier end', async () => {
    const { behind, primary, replica } = await behindReplica();
    const executed: string[] = [];
    const { flaky: flakyJob, mend } = flaky(executed, 1);
    const { flaky: handle } = behind.register({ flaky: flakyJob });
    const failed = nextEvent(behind, 'run:fail');
    await behind.init();
    const { id } = await handle.trigger(0);
    await failed;
    await replica.catchUp();
    mend();
    await behind.retry(id);
    const events = readAll(behind.subscribe(id));
    await untilStatus(primary, id, 'completed');
    await replica.catchUp();
    expect((await events).at(-1)).toMatchObject({ type: 'run:complete' });
  });

  test('that has seen the end of a run is over, whichever states its reads see', async () => {
    const { behind, primary, replica } = await behindReplica();
    const { echo: handle } = primary.register({ echo });
    const { id } = await handle.trigger(0);
    await replica.catchUp();
    await primary.cancel(id);
    const after = (await journalOf(primary, id)).at(-1)?.sequence;
    await replica.alternate();
    for (let i = 0; i < 2; i++) {
      // The number of its reads is even, so another one makes the other state the first.
      await behind.getRun(id);
      expect(await behind.openRunFeed(id, { after })).toEqual({ kind: 'ended' });
    }
  });

  test('that has seen the end of a run finds that it was retried', async () => {
    const { behind, primary, replica } = await behindReplica();
    const { echo: handle } = primary.register({ echo });
    const { id } = await handle.trigger(0);
    await primary.cancel(id);
    const after = (await journalOf(primary, id)).at(-1)?.sequence;
    await replica.catchUp();
    expect(await behind.openRunFeed(id, { after })).toEqual({ kind: 'ended' });
    await primary.retry(id);
    const feed = await behind.openRunFeed(id, { after });
    if (feed.kind !== 'open') throw new Error('the stream is not open');
    expect((await feed.cursor.next())?.map(({ event }) => event.type)).toEqual(['run:retry']);
    feed.cursor.close();
  });
});
