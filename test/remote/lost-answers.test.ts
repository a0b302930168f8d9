import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ConflictError, defineJob, NotFoundError } from '../../src/index.ts';
import { echo, job } from '../support/jobs.ts';
import { startRemote } from '../support/remote.ts';
import { journalTypes, rejectionOf } from '../support/runs.ts';
import type { Fault } from '../support/sqld/faults.ts';
import type { Sqld } from '../support/sqld/server.ts';
import { until } from '../support/until.ts';

/** Every way in which a server or a proxy may fail a request, executed or not. */
const FAULTS: Readonly<Record<string, Fault>> = {
  'the connection dies before': { kind: 'drop', when: 'before' },
  'the connection dies after': { kind: 'drop', when: 'after' },
  'half an answer': { kind: 'half' },
  "a proxy's 502 after": { kind: 'status', status: 502, when: 'after' },
  '504 after': { kind: 'status', status: 504, when: 'after' },
  '503 before': { kind: 'status', status: 503, headers: { 'retry-after': '120' } },
  '500 before': { kind: 'status', status: 500, body: '{"error":"Internal Error"}' },
  '429 before': { kind: 'status', status: 429, body: '{"error":"Too many concurrent requests"}' },
  '404 before': { kind: 'status', status: 404 },
  'no JSON, after': { kind: 'status', status: 200, when: 'after' },
  'foreign JSON, after': { kind: 'status', status: 200, when: 'after', body: '{"ok":true}' },
  'a busy database': { kind: 'error', code: 'SQLITE_BUSY' },
  'too many transactions': { kind: 'error', code: 'TRANSACTION_BUSY' },
  'a transaction timeout': { kind: 'error', code: 'TRANSACTION_TIMEOUT' },
  'an expired stream': { kind: 'status', status: 500, body: '{"message":"expired","code":"STREAM_EXPIRED"}' },
  'an invalid baton': { kind: 'status', status: 400, headers: { 'content-type': 'text/plain' } },
};

/** Makes the n-th request from now on fail. */
function failAt(server: Sqld, n: number, fault: Fault): void {
  const at = server.requests + n;
  server.fault = (number) => (number === at ? fault : { kind: 'none' });
}

describe.each(Object.entries(FAULTS))('when a request meets %s', (_, fault) => {
  test('at any request of a run, each step runs once and is stored once, in the first attempt', async () => {
    const { open, server } = await startRemote();
    // Polls are disabled.
    const durably = open({ pollingInterval: 60_000, heartbeatInterval: 1e6, staleThreshold: 2e6 });
    await durably.migrate();
    const executions: string[] = [];
    const { work } = durably.register({
      work: job('work', async (step) => {
        for (const name of ['a', 'b', 'c']) {
          await step.run(name, () => executions.push(`${step.runId} ${name}`));
        }
      }),
    });
    durably.start();
    await until(() => server.requests > 2 && server.underWay === 0);
    // The trigger, the claim, three steps, the end.
    for (let place = 1; place <= 6; place++) {
      failAt(server, place, fault);
      let ended = 0;
      const off = durably.on('run:complete', () => void ended++);
      const { id } = await work.trigger(place, { idempotencyKey: `place ${place}` });
      await until(() => ended === 1, `the run at ${place} to end`);
      off();
      expect(await durably.getRun(id)).toMatchObject({ status: 'completed', attempt: 1, stepCount: 3 });
      expect(executions.splice(0)).toEqual(['a', 'b', 'c'].map((name) => `${id} ${name}`));
      expect(await journalTypes(durably, id)).toEqual([
        'run:trigger',
        'run:start',
        ...['a', 'b', 'c'].flatMap(() => ['step:start', 'step:complete']),
        'run:complete',
      ]);
    }
    expect(await durably.getRuns()).toHaveLength(6);
  });

  test('a trigger stores one run, a batch stores each of its runs once, and a command takes effect once', async () => {
    const { open, server } = await startRemote();
    const durably = open();
    await durably.migrate();
    const { echo: handle } = durably.register({ echo });
    failAt(server, 1, fault);
    const { id } = await handle.trigger('alone');
    failAt(server, 1, fault);
    const batch = await handle.batchTrigger([1, { input: 2, options: { idempotencyKey: 'k' } }, 3]);
    expect(batch.map(({ payload }) => payload)).toEqual([1, 2, 3]);
    expect(await durably.getRuns()).toHaveLength(4);
    for (const command of ['cancel', 'retry', 'cancel', 'deleteRun'] as const) {
      failAt(server, 1, fault);
      await durably[command](id);
    }
    expect(await journalTypes(durably, id)).toEqual(['run:delete']);
    expect(await rejectionOf(durably.cancel(id))).toBeInstanceOf(NotFoundError);
    expect(await rejectionOf(durably.retry(batch[0]?.id ?? ''))).toBeInstanceOf(ConflictError);
  });

  test('a migration completes', async () => {
    const { open, server } = await startRemote({ content: 'empty' });
    for (let place = 1; place <= 3; place++) {
      failAt(server, place, fault);
      await open().migrate();
    }
    expect(await open().getRuns()).toEqual([]);
  });
});

describe('a migration', () => {
  test('completes if another process is faster and the answer to the check is lost', async () => {
    const { open } = await startRemote({ content: 'empty' });
    const faster = open();
    let sent = 0;
    const late = open({
      fetch: async (request: Request) => {
        sent++;
        // The instance has read the schema and is about to send its migration.
        if (sent === 2) await faster.migrate();
        if (sent === 3) throw new TypeError('fetch failed');
        return await fetch(request);
      },
    });
    await late.migrate();
    expect(sent).toBeGreaterThan(3);
    expect(await late.getRuns()).toEqual([]);
  });
});

describe('the answer to a retry or a wait', () => {
  test.each([
    ['run:retry', 'failed'],
    ['run:wait', 'slept'],
  ])(
    '%s may be lost while another worker goes on with the run: its lease was not lost',
    async (type, how) => {
      const { open } = await startRemote();
      const other = open({ pollingInterval: 5 });
      let lost = 0;
      const owner = open({
        pollingInterval: 60_000,
        fetch: async (request: Request) => {
          const isIt = lost === 0 && (await request.clone().text()).includes(`\\"type\\":\\"${type}\\"`);
          const response = await fetch(request);
          if (!isIt) return response;
          lost++;
          for (const table of ['durably_steps', 'durably_runs'] as const) {
            await other.db.updateTable(table).set({ due_at: 1 }).execute();
          }
          other.start();
          await until(async () => (await other.getRuns({ status: 'completed' })).length === 1);
          throw new TypeError('fetch failed');
        },
      });
      await owner.migrate();
      const errors: unknown[] = [];
      owner.on('worker:error', (event) => errors.push(event));
      const definition = defineJob({
        name: 'flaky',
        input: z.unknown(),
        retries: { limit: 1, delay: '1h', jitter: false },
        run: async (step) => {
          if (how === 'slept') await step.sleep('rest', '1h');
          else if (step.attempt === 1) throw new Error('broken');
        },
      });
      other.register({ flaky: definition });
      const told = new Promise((resolve) => owner.on(type as 'run:retry', resolve));
      const { flaky } = owner.register({ flaky: definition });
      owner.start();
      const { id } = await flaky.trigger(0);
      await told;
      await owner.stop();
      expect({ lost, errors }).toEqual({ lost: 1, errors: [] });
      expect((await owner.getRun(id))?.status).toBe('completed');
      expect((await journalTypes(owner, id)).filter((each) => each === type)).toHaveLength(1);
    },
  );
});
