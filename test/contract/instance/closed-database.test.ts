import { expect } from 'vitest';
import { DatabaseUnavailableError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { watchProcess } from '../../support/processes/watch-process.ts';
import { nextEvent, readAll, recordEvents, rejectionOf } from '../../support/runs.ts';
import { deferred } from '../../support/until.ts';

const CLOSED = { permanent: true, message: 'The database connection was closed' };

contract('a database connection that was closed', (test) => {
  test.for(['stopped', 'at work'])(
    'after destroy() with a worker that is %s, everything that waits is rejected at once',
    async (state, { world }) => {
      const raised = watchProcess();
      const { durably } = await world.start({ maxConcurrentRuns: 2, pollingInterval: 600_000 });
      const errors = recordEvents(durably, ['worker:error']);
      // This job is registered, but no worker executes it.
      const { durably: elsewhere } = await world.idle();
      const { pending } = elsewhere.register({ pending: echo });
      const { id } = await pending.trigger(0);
      const stream = durably.subscribe(id);
      const waiting: Promise<unknown>[] = [readAll(stream)];
      if (state === 'stopped') {
        await durably.stop();
        const triggered = nextEvent(durably, 'run:trigger');
        waiting.push(durably.register({ pending: echo }).pending.triggerAndWait(1));
        await triggered;
        waiting.push((await durably.openRunListFeed()).cursor.next());
      } else {
        const started = deferred();
        const { held } = durably.register({
          held: job('held', async (step) => {
            started.resolve();
            await new Promise((_, reject) => step.signal.addEventListener('abort', reject));
          }),
        });
        waiting.push(held.triggerAndWait(0));
        await started.promise;
      }
      const outcomes = Promise.allSettled(waiting);
      await durably.db.destroy();
      for (const outcome of await outcomes) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: CLOSED });
      }
      expect(await rejectionOf(durably.getRun(id))).toBeInstanceOf(DatabaseUnavailableError);
      expect(await rejectionOf(durably.getRun(id))).toMatchObject(CLOSED);
      await durably.stop();
      expect(await durably.health()).toEqual({ database: false, worker: false });
      if (state === 'stopped') expect(errors).toEqual([]);
      else expect(errors).toContainEqual(expect.objectContaining({ context: 'database' }));
      expect(raised).toEqual([]);
    },
  );

  test('rejects all waiting triggers, appends and claims', async ({ world }) => {
    const { durably } = await world.idle();
    const { echo: handle } = durably.register({ echo });
    const triggers = Promise.allSettled(Array.from({ length: 20 }, (_, i) => handle.trigger(i)));
    await durably.db.destroy();
    for (const outcome of await triggers) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(CLOSED);
    }
    expect(await rejectionOf(durably.processOne())).toMatchObject(CLOSED);
    expect(await rejectionOf(handle.triggerAndWait(1))).toMatchObject(CLOSED);
    expect(await rejectionOf(readAll(durably.subscribe('run_x')))).toMatchObject(CLOSED);
  });

  test('reports at once that its owner closed it, and is not opened again', async ({ world }) => {
    const { durably, close } = await world.instance();
    const { echo: handle } = durably.register({ echo });
    await durably.migrate();
    const triggered = nextEvent(durably, 'run:trigger');
    const waiting = rejectionOf(handle.triggerAndWait(0));
    await triggered;
    close();
    expect(await rejectionOf(handle.trigger(1))).toMatchObject(CLOSED);
    expect(await waiting).toMatchObject(CLOSED);
    expect(await rejectionOf(durably.getRuns())).toMatchObject(CLOSED);
  });
});
