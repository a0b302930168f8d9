import { describe, expect, test } from 'vitest';
import type { DurablyEvent } from '../../src/core/events.ts';
import type { Durably } from '../../src/create-durably.ts';
import { echo, job } from '../support/jobs.ts';
import { startRemote } from '../support/remote.ts';
import { nextEvent, readAll, rejectionOf, untilEnded, untilStatus } from '../support/runs.ts';
import { deferred, until } from '../support/until.ts';
import { replicaOf } from './replica.ts';

/** A migrated server, a replica of it, and instances behind either. */
async function behindReplica() {
  const remote = await startRemote();
  const primary = remote.open({ pollingInterval: 20 });
  await primary.migrate();
  const replica = await replicaOf(remote);
  const open = () => remote.open({ fetch: replica.fetch, pollingInterval: 20 });
  return { ...remote, primary, replica, behind: open(), openBehind: open };
}

/** A run that failed after its steps were stored, which go to the given list when they are executed. */
function flaky(executed: string[], steps = 5) {
  let isBroken = true;
  const flakyJob = job('flaky', async (step) => {
    for (let i = 0; i < steps; i++) await step.run(`step ${i}`, () => executed.push(`step ${i}`));
    if (isBroken) throw new Error('broken');
  });
  return {
    flaky: flakyJob,
    mend: () => {
      isBroken = false;
    },
  };
}

const sequencesOf = (events: readonly { readonly sequence: number }[]) =>
  events.map(({ sequence }) => sequence);

/** The run's events at the primary. */
async function journalOf(primary: Durably, runId: string): Promise<DurablyEvent[]> {
  return await readAll(primary.subscribe(runId));
}

describe('behind a replica that has not got a run yet', () => {
  test('the run is found by all that ask for it by its id', async () => {
    const { behind } = await behindReplica();
    const { id } = await behind.register({ echo }).echo.trigger('new');
    expect(await behind.getRun(id)).toMatchObject({ id, status: 'pending', payload: 'new' });
    expect(await behind.getSteps(id)).toEqual([]);
    expect(await behind.getLogs({ runId: id })).toEqual([]);
    const json: string[] = [];
    for await (const piece of (await behind.asJson.run(id)) ?? []) json.push(piece);
    expect(JSON.parse(json.join(''))).toMatchObject({ id });
    expect((await behind.retrigger(id)).payload).toBe('new');
    const feed = await behind.openRunFeed(id);
    expect(feed.kind).toBe('open');
    if (feed.kind === 'open') feed.cursor.close();
  });

  test('a stream of the run has all its events, as soon as the replica has them', async () => {
    const { behind, primary, replica } = await behindReplica();
    const { id } = await behind.register({ echo }).echo.trigger('new');
    const events = readAll(behind.subscribe(id));
    await behind.init();
    await untilStatus(primary, id, 'completed');
    await replica.catchUp();
    expect(await events).toEqual(await journalOf(primary, id));
  });

  test('triggerAndWait has the output, whoever executes the run', async () => {
    const { behind, primary, replica } = await behindReplica();
    const { echo: handle } = behind.register({ echo });
    await behind.init();
    expect((await handle.triggerAndWait('here')).output).toBe('here');
    await behind.stop();
    primary.register({ echo });
    await primary.init();
    const elsewhere = handle.triggerAndWait('elsewhere');
    await until(async () => (await primary.getRuns({ status: 'completed' })).length === 2);
    await replica.catchUp();
    expect((await elsewhere).output).toBe('elsewhere');
  });

  test('a repeated trigger with its key has its whole input', async () => {
    const { behind } = await behindReplica();
    const { echo: handle } = behind.register({ echo });
    const input = 'x'.repeat(50_000);
    const options = { idempotencyKey: 'once' };
    const { id } = await handle.trigger(input, options);
    expect(await handle.trigger('other', options)).toMatchObject({ id, payload: input });
  });
});

describe('what a read decides, behind a replica', () => {
  test('costs one more request only for what the replica has not got', async () => {
    const { behind, replica } = await behindReplica();
    const { echo: handle } = behind.register({ echo });
    const { id: known } = await handle.trigger(1);
    await replica.catchUp();
    const { id: young } = await handle.trigger(2);
    expect(await replica.requestsOf(() => behind.getRun(known))).toEqual({ reads: 1, writes: 0 });
    expect(await replica.requestsOf(() => behind.getRun(young))).toEqual({ reads: 1, writes: 1 });
    expect(await replica.requestsOf(() => behind.getRun('unknown'))).toEqual({ reads: 1, writes: 1 });
    expect(await behind.getRun('unknown')).toBeNull();
    expect((await rejectionOf(behind.getSteps('unknown'))).message).toBe('Run not found');
  });

  test('does not run finished steps again, however old what the replica has', async () => {
    const { behind, primary } = await behindReplica();
    const executed: string[] = [];
    const { flaky: flakyJob, mend } = flaky(executed);
    const { flaky: handle } = behind.register({ flaky: flakyJob });
    const failed = nextEvent(behind, 'run:fail');
    await behind.init();
    const { id } = await handle.trigger(0);
    await failed;
    mend();
    const ended = untilEnded(behind, id);
    await behind.retry(id);
    await ended;
    expect(executed).toHaveLength(5);
    expect(await primary.getRun(id)).toMatchObject({ status: 'completed', attempt: 2 });
  });

  test('says what became of a run whose cancel the replica has not got', async () => {
    const { behind, primary } = await behindReplica();
    const started = deferred();
    const stopped = deferred<unknown>();
    const { long } = behind.register({
      long: job('long', async (step) => {
        await step.run('wait', async (signal) => {
          started.resolve();
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          stopped.resolve(signal.reason);
        });
      }),
    });
    await behind.init();
    const { id } = await long.trigger(0);
    await started.promise;
    await primary.cancel(id);
    expect(
      await behind.cancel(id).then(
        () => 'done',
        (error: Error) => error.message,
      ),
    ).toBe('Cannot cancel a cancelled run');
    expect(await rejectionOf(behind.retry('unknown'))).toMatchObject({ message: 'Run not found' });
  });
});

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

describe('the start behind a replica', () => {
  test('migrates an empty server, and waits until reads find the tables', async () => {
    const remote = await startRemote();
    const replica = await replicaOf(remote);
    replica.every(1, async () => void setTimeout(() => void replica.catchUp(), 100));
    const durably = remote.open({ fetch: replica.fetch });
    await durably.init();
    expect(await durably.getRuns()).toEqual([]);
  });

  test('finds at the primary that others have migrated', async () => {
    const remote = await startRemote();
    const replica = await replicaOf(remote);
    await remote.open().migrate();
    const durably = remote.open({ fetch: replica.fetch });
    const migrated = durably.migrate();
    await until(() => replica.counts.writes >= 3);
    await replica.catchUp();
    await migrated;
    expect(await durably.getRuns()).toEqual([]);
  });
});
