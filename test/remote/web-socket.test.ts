import { describe, expect, onTestFinished, test } from 'vitest';
import { createDurably, DatabaseUnavailableError } from '../../src/index.ts';
import { openRemote } from '../../src/remote.ts';
import { job } from '../support/jobs.ts';
import { startRemote } from '../support/remote.ts';
import { journalTypes, rejectionOf, untilStatus } from '../support/runs.ts';
import type { Fault } from '../support/sqld/faults.ts';
import { deferred, until } from '../support/until.ts';

const jobs = {
  stepped: job('stepped', async (step, steps) => {
    for (let i = 0; i < Number(steps); i++) await step.run(`step ${i}`, () => i);
    return steps;
  }),
  failing: job('failing', async () => {
    throw new Error('fails');
  }),
};

/** An instance over WebSockets, on a server of the test. */
async function startOverWebSocket() {
  const remote = await startRemote();
  const database = openRemote({ url: remote.server.addressForClient('ws') });
  const durably = createDurably({ dialect: database.dialect, pollingInterval: 50 });
  onTestFinished(async () => {
    await durably.stop();
    database.close();
  });
  await durably.init();
  return { remote, durably, handles: durably.register(jobs) };
}

describe('over a WebSocket', () => {
  test('runs are triggered, executed, read, cancelled, retried and deleted', async () => {
    const { durably, handles } = await startOverWebSocket();
    const run = await handles.stepped.triggerAndWait(3);
    expect(run.output).toBe(3);
    expect(await durably.getSteps(run.id)).toHaveLength(3);
    expect(await journalTypes(durably, run.id)).toContain('run:complete');
    const batch = await handles.stepped.batchTrigger([1, { input: 2, options: { idempotencyKey: 'k' } }]);
    for (const { id } of batch) await untilStatus(durably, id, 'completed');
    const { id } = await handles.failing.trigger(0);
    await untilStatus(durably, id, 'failed');
    await durably.retry(id);
    await untilStatus(durably, id, 'failed');
    await durably.deleteRun(id);
    expect(await durably.getRuns()).toHaveLength(3);
    expect(await durably.health()).toEqual({ database: true, worker: true });
  });

  test.each<[string, Fault]>([
    ['before', { kind: 'drop', when: 'before' }],
    ['after', { kind: 'drop', when: 'after' }],
  ])('a run whose connection dies %s any request loses no step and stores none twice', async (_, fault) => {
    const { remote, durably, handles } = await startOverWebSocket();
    const { server } = remote;
    for (let place = 1; place <= 5; place++) {
      const at = server.requests + place;
      server.fault = (number) => (number === at ? fault : { kind: 'none' });
      const { id } = await handles.stepped.trigger(3);
      expect(await untilStatus(durably, id, 'completed')).toMatchObject({ attempt: 1, stepCount: 3 });
      await until(() => server.requests >= at);
    }
    expect(await durably.getRuns()).toHaveLength(5);
  });

  test('a server that was away is found again, and a run goes on where it was', async () => {
    const { remote, durably } = await startOverWebSocket();
    const gate = deferred();
    const executed: string[] = [];
    const { work } = durably.register({
      work: job('work', async (step) => {
        await step.run('before', () => executed.push('before'));
        await step.run('during', () => gate.promise);
      }),
    });
    const { id } = await work.trigger(0);
    await until(() => executed.length === 1);
    await remote.restart(async () => {
      gate.resolve();
      expect((await durably.health()).database).toBe(false);
    });
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({ attempt: 1, stepCount: 2 });
    expect(executed).toEqual(['before']);
  });

  test('a wrong token causes an error that says so', async () => {
    const { server } = await startRemote({ authToken: 'right' });
    const database = openRemote({ url: server.addressForClient('ws'), authToken: 'wrong' });
    onTestFinished(() => database.close());
    const error = await rejectionOf(createDurably({ dialect: database.dialect }).migrate());
    expect(error).toBeInstanceOf(DatabaseUnavailableError);
    expect(error.message).toContain('auth token');
  });
});
