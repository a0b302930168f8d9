import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../src/index.ts';
import { timedFetch } from '../../src/storage/sqlite/remote/timed-fetch.ts';
import { idle } from '../support/idle.ts';
import { echo, job } from '../support/jobs.ts';
import { quiet, startRemote } from '../support/remote.ts';
import { recordEvents, rejectionOf, untilStatus } from '../support/runs.ts';
import { deferred, until } from '../support/until.ts';

const AFTER: { kind: 'drop'; when: 'after' } = { kind: 'drop', when: 'after' };

describe('an answer that never arrives', () => {
  test.each(['before', 'after'] as const)(
    'to a write is awaited for fifteen seconds, and the next write leaves a second later (it hangs %s its execution)',
    async (when) => {
      const { startStill, server } = await startRemote();
      const { durably, clock } = await startStill();
      await durably.stop();
      const { echo: handle } = durably.register({ echo });
      const hanging = server.requests + 1;
      server.fault = (number) => (number === hanging ? { kind: 'hang', when } : { kind: 'none' });
      const slow = rejectionOf(handle.trigger('slow'));
      await until(() => server.requests === hanging);
      clock.advance(9_000);
      const later = handle.trigger('later');
      clock.advance(1_000);
      expect((await slow).message).toBe('The database stayed busy');
      clock.advance(4_999);
      await quiet(server, { underWay: 1 });
      expect(server.requests).toBe(hanging);
      clock.advance(1);
      await idle();
      clock.advance(999);
      await quiet(server, { underWay: 1 });
      // A read, which shows whether the server answers those.
      expect(server.requests).toBe(hanging + 1);
      clock.advance(1);
      expect(await later).toMatchObject({ payload: 'later' });
      const stored = (await durably.getRuns()).map(({ payload }) => payload);
      expect(stored).toEqual(when === 'after' ? ['later', 'slow'] : ['later']);
    },
  );

  test("does not block a user's transaction", async () => {
    const { startStill, server } = await startRemote();
    const { durably, clock } = await startStill();
    await durably.stop();
    let count = 0;
    server.fault = () => (++count === 2 ? { kind: 'hang', when: 'after' } : { kind: 'none' });
    const failed = rejectionOf(
      durably.db.transaction().execute(async (transaction) => {
        for (let i = 0; i < 3; i++) await sql`select ${i}`.execute(transaction);
      }),
    );
    await until(() => count === 2);
    // The statement's answer, then the rollback's, which waits behind the statement.
    for (let i = 0; i < 2; i++) {
      await until(() => clock.pendingMs.length > 0);
      const [dueMs] = clock.pendingMs;
      expect(dueMs).toBe(5_000);
      clock.advance(5_000);
      await idle();
    }
    expect((await failed).message).toContain('not answered within');
  });

  test("has its request aborted by the service's client", async () => {
    const { open, server } = await startRemote();
    const durably = open({ fetch: timedFetch({ compression: false }) });
    await durably.migrate();
    const hanging = server.requests + 1;
    server.fault = (number) => (number === hanging ? { kind: 'hang', when: 'before' } : { kind: 'none' });
    const { echo: handle } = durably.register({ echo });
    expect((await rejectionOf(handle.trigger(1))).message).toBe('The database stayed busy');
    await until(() => server.abandoned === 1);
  });
});

describe('an outage', () => {
  test('when all answers are lost, an executed claim is found by its token', async () => {
    const { startStill, open, server } = await startRemote();
    const { durably, clock } = await startStill({ staleThreshold: 1e6, heartbeatInterval: 1e5 });
    const errors = recordEvents(durably, ['worker:error']);
    durably.register({ echo });
    await quiet(server);
    const { id } = await open().register({ echo }).echo.trigger('found');
    server.fault = () => AFTER;
    clock.advance(1_000);
    await untilAdvancing(
      () => errors.length > 0,
      () => clock.advance(100),
    );
    server.fault = () => ({ kind: 'none' });
    expect(await durably.getRun(id)).toMatchObject({ status: 'running', attempt: 1 });
    clock.advance(1_000);
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({ attempt: 1, output: 'found' });
  });

  test('when the server is away, nothing accepted is lost, runs continue, and health reports it', async () => {
    const remote = await startRemote();
    const durably = remote.open({
      pollingInterval: 50,
      maxConcurrentRuns: 2,
      fetch: timedFetch({ compression: false }),
    });
    await durably.init();
    const gate = deferred();
    const executed: string[] = [];
    const handles = durably.register({
      echo,
      work: job('work', async (step) => {
        await step.run('before', () => executed.push('before'));
        await step.run('during', () => gate.promise);
        await step.run('after', () => executed.push('after'));
      }),
    });
    const { id: running } = await handles.work.trigger(0);
    await until(() => executed.length === 1);
    const { id: pending } = await remote
      .open()
      .register({ later: job('later', () => 1) })
      .later.trigger(0);
    expect(await durably.health()).toEqual({ database: true, worker: true });
    await remote.restart(async () => {
      gate.resolve();
      const reason = 'database does not answer';
      expect(await durably.health()).toEqual({ database: false, worker: true, reason });
      expect(await rejectionOf(handles.echo.trigger('lost'))).toBeInstanceOf(DatabaseUnavailableError);
    });
    expect(await untilStatus(durably, running, 'completed')).toMatchObject({ attempt: 1, stepCount: 3 });
    expect(executed).toEqual(['before', 'after']);
    durably.register({ later: job('later', () => 'late') });
    expect(await untilStatus(durably, pending, 'completed')).toMatchObject({ output: 'late' });
    await until(async () => (await durably.health()).database);
  });

  test('a retry whose answer was lost succeeds, even if the run has ended again by the check', async () => {
    const { startStill, open, server } = await startRemote();
    const { durably, clock } = await startStill();
    await durably.stop();
    const { id } = await durably.register({ echo }).echo.trigger('again');
    await durably.cancel(id);
    const lost = server.requests + 1;
    server.fault = (number) => (number === lost ? AFTER : { kind: 'none' });
    const retried = durably.retry(id);
    await until(() => server.requests === lost && clock.pendingMs.length > 0);
    const other = open({ pollingInterval: 20 });
    other.register({ echo });
    await other.init();
    await untilStatus(other, id, 'completed');
    clock.advance(250);
    await retried;
    expect(await durably.getRun(id)).toMatchObject({ status: 'completed', attempt: 1 });
  });

  test('a write whose stream has expired was not executed, and is sent again however late that was', async () => {
    const { startStill, server } = await startRemote();
    const { durably, clock } = await startStill();
    await durably.stop();
    const { echo: handle } = durably.register({ echo });
    const expired = server.requests + 1;
    const body = '{"message":"The stream has expired due to inactivity","code":"STREAM_EXPIRED"}';
    server.fault = (number) =>
      number === expired ? { kind: 'status', status: 400, body } : { kind: 'none' };
    const arrived = deferred();
    server.gate = () => arrived.promise;
    const triggered = handle.trigger('late');
    await until(() => server.requests === expired);
    clock.advance(9_000);
    arrived.resolve();
    await until(() => clock.pendingMs.some((ms) => ms < 250));
    clock.advance(250);
    expect(await triggered).toMatchObject({ payload: 'late' });
  });

  test('an expired stream ends its own transaction, and nothing else', async () => {
    const { open, server } = await startRemote();
    const durably = open();
    await durably.migrate();
    const { echo: handle } = durably.register({ echo });
    const failed = durably.db.transaction().execute(async (transaction) => {
      await sql`create table mine (n integer)`.execute(transaction);
      server.expireStreams();
      await sql`insert into mine values (1)`.execute(transaction);
    });
    expect((await rejectionOf(failed)).message).toContain('expired');
    expect(await handle.trigger(1)).toMatchObject({ payload: 1 });
    expect((await sql`select 1 from sqlite_master where name = 'mine'`.execute(durably.db)).rows).toEqual([]);
  });
});

describe('refused access', () => {
  test('is reported at once as such, and ends when access is granted', async () => {
    const { startStill, server } = await startRemote();
    const { durably, clock } = await startStill();
    await durably.stop();
    const { echo: handle } = durably.register({ echo });
    for (const refusal of [
      { kind: 'status', status: 401, body: '{"error":"Unauthorized"}' },
      { kind: 'status', status: 401, body: '{"message":"expired","code":"AUTH_JWT_EXPIRED"}' },
      { kind: 'status', status: 403 },
    ] as const) {
      server.fault = () => refusal;
      const before = server.requests;
      const error = await rejectionOf(handle.trigger('refused'));
      expect(error).toBeInstanceOf(DatabaseUnavailableError);
      expect(error.message).toContain('auth token');
      expect(server.requests - before).toBe(1);
      expect((await durably.health()).database).toBe(false);
      server.fault = () => ({ kind: 'none' });
      clock.advance(5_000);
      expect(await handle.trigger('granted')).toMatchObject({ payload: 'granted' });
      expect((await durably.health()).database).toBe(true);
    }
    expect(await durably.getRuns()).toHaveLength(3);
  });

  test('stops a migration at once', async () => {
    const { open, server } = await startRemote({ authToken: 'right', content: 'empty' });
    const error = await rejectionOf(open({ authToken: 'wrong' }).migrate());
    expect(error).toBeInstanceOf(DatabaseUnavailableError);
    expect(error.message).toContain('auth token');
    expect(server.requests).toBe(1);
    await open({ authToken: 'right' }).migrate();
  });

  test('a value that the server or a proxy refuses fails its step', async () => {
    const { open, server } = await startRemote();
    const durably = open({ pollingInterval: 20 });
    await durably.init();
    const { large } = durably.register({
      large: job('large', (step) => step.run('make', () => 'x'.repeat(2 ** 20))),
    });
    server.refusedBytes = 2 ** 19;
    const { id } = await large.trigger(0);
    expect(await untilStatus(durably, id, 'failed')).toMatchObject({ attempt: 1 });
  });
});

/** Lets time pass until the condition holds. */
async function untilAdvancing(condition: () => boolean, advance: () => void): Promise<void> {
  await until(async () => {
    advance();
    await idle();
    return condition();
  });
}
