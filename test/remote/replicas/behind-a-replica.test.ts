import { describe, expect, test } from 'vitest';
import { echo, job } from '../../support/jobs.ts';
import { startRemote } from '../../support/remote.ts';
import { nextEvent, readAll, rejectionOf, untilEnded, untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';
import { behindReplica, flaky, journalOf } from './behind-replica.ts';
import { replicaOf } from './replica.ts';

describe('behind a replica that does not have a new run yet', () => {
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

describe('an instance behind a replica', () => {
  test('sends one more request only for a run that the replica does not have', async () => {
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

  test('does not run finished steps again, however far the replica is behind', async () => {
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

  test('reports that a run is cancelled, even if the replica does not have the cancel yet', async () => {
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

describe('the start behind a replica', () => {
  test('migrates an empty server, and waits until reads find the tables', async () => {
    const remote = await startRemote({ content: 'empty' });
    const replica = await replicaOf(remote);
    replica.every(1, async () => void setTimeout(() => void replica.catchUp(), 100));
    const durably = remote.open({ fetch: replica.fetch });
    await durably.init();
    expect(await durably.getRuns()).toEqual([]);
  });

  test('finds at the primary that others have migrated', async () => {
    const remote = await startRemote({ content: 'empty' });
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
