import { expect } from 'vitest';
import type { StepContext } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import {
  databaseError,
  failStatements,
  interceptStatements,
} from '../../../support/dialects/intercepted-dialect.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { idle } from '../../../support/idle.ts';
import { job } from '../../../support/jobs.ts';
import { ageHeartbeat, nextEvent, recordEvents, untilStatus } from '../../../support/runs.ts';
import { deferred, until } from '../../../support/until.ts';

contract('a worker without contact to the database', (test) => {
  test('aborts its steps once another worker may have its leases, and not before', async ({ world }) => {
    const clock = new FakeClock();
    let isCutOff = false;
    const cut = () => (isCutOff ? databaseError('SQLITE_IOERR') : undefined);
    const { durably } = await world.start({ clock, wrap: (dialect) => failStatements(dialect, cut) });
    const errors = recordEvents(durably, ['worker:error']);
    let signal: AbortSignal | undefined;
    const afterwards: unknown[] = [];
    const hanging = async (step: StepContext) => {
      const aborted = new Promise<void>((resolve) => {
        signal = step.signal;
        step.signal.addEventListener('abort', () => resolve());
      });
      await step.run('hang', () => aborted).catch((error: unknown) => afterwards.push(error));
      await step.run('more', () => afterwards.push('ran')).catch((error: unknown) => afterwards.push(error));
    };
    const { id } = await durably.register({ task: job('task', hanging) }).task.trigger(0);
    await until(() => signal);
    isCutOff = true;
    for (let ms = 0; ms < 29_999; ms += 4_000) {
      clock.advance(Math.min(4_000, 29_999 - ms));
      await idle();
    }
    expect(signal?.aborted).toBe(false);
    clock.advance(1);
    expect(signal?.reason).toMatchObject({ code: 'LEASE_LOST' });
    await until(() => afterwards.length === 2);
    expect(afterwards).toEqual([
      expect.objectContaining({ code: 'LEASE_LOST' }),
      expect.objectContaining({ code: 'LEASE_LOST' }),
    ]);
    await until(() => errors.some((event) => 'context' in event && event.context === 'lease'));
    expect(errors).toContainEqual(
      expect.objectContaining({
        context: 'lease',
        runId: id,
        error: 'lease lost: the database did not renew it in time',
      }),
    );

    // Another worker continues the run, and so could this one.
    const other = await world.instance({ pollingInterval: 5 });
    other.durably.register({ task: job('task', () => 'done') });
    await ageHeartbeat(other.durably, id, 30_001);
    await other.durably.init();
    expect(await untilStatus(other.durably, id, 'completed')).toMatchObject({ attempt: 2, output: 'done' });
  });

  test('hands back the runs it gave up, if the database has returned by then', async ({ world }) => {
    const clock = new FakeClock();
    let isCutOff = false;
    const isRenewal = (sql: string) => sql.includes('set heartbeat_at =');
    const cut = ({ sql }: { sql: string }) =>
      isCutOff && isRenewal(sql) ? databaseError('SQLITE_IOERR') : undefined;
    const { durably } = await world.start({ clock, wrap: (dialect) => failStatements(dialect, cut) });
    let calls = 0;
    const task = job('task', async () => {
      if (++calls === 1) await new Promise(() => undefined);
    });
    const { id } = await durably.register({ task }).task.trigger(0);
    await until(() => calls === 1);
    isCutOff = true;
    for (let ms = 0; ms < 30_000; ms += 5_000) {
      clock.advance(5_000);
      await idle();
    }
    await until(() => {
      clock.advance(1_000);
      return calls === 2;
    });
    const run = await untilStatus(durably, id, 'completed');
    expect(run.attempt).toBe(1);
    const row = await durably.db.selectFrom('durably_runs').select('lost_count').executeTakeFirstOrThrow();
    // A takeover would count as a lost worker.
    expect(row.lost_count).toBe(0);
  });
});

contract(
  'a worker that reads finished steps apart from its claim',
  (test) => {
    test("hands back a run whose finished steps it can't load, reports it and continues", async ({
      world,
    }) => {
      let cuts = 0;
      const cut = ({ sql }: { sql: string }) => {
        if (cuts === 0 || !/(from|join) durably_steps/.test(sql)) return undefined;
        cuts--;
        return databaseError('SQLITE_IOERR');
      };
      const { durably } = await world.start({
        pollingInterval: 5,
        wrap: (dialect) => failStatements(dialect, cut),
      });
      const errors = recordEvents(durably, ['worker:error']);
      let hangs = true;
      const { task } = durably.register({
        task: job('task', async (step) => {
          await step.run('one', () => 1);
          if (hangs) await new Promise(() => undefined);
        }),
      });
      const stored = nextEvent(durably, 'step:complete');
      const { id } = await task.trigger(0);
      await stored;
      await durably.stop({ timeoutMs: 0 });
      hangs = false;
      // The read for all claimed runs, and that of the run alone.
      cuts = 2;
      durably.start();
      expect(await untilStatus(durably, id, 'completed')).toMatchObject({ attempt: 1, stepCount: 1 });
      expect(errors).toMatchObject([{ context: 'execute', runId: id }]);
      const row = await durably.db.selectFrom('durably_runs').select('lost_count').executeTakeFirstOrThrow();
      expect(row.lost_count).toBe(0);
    });
  },
  // Where there are batches, the steps come with most claims.
  ({ needsReconnect }) => needsReconnect,
);

contract('a worker whose claim was answered late', (test) => {
  /** docs/guarantees.md does not promise this. The test shows the limits of what happens. */
  test('may repeat a step that the next attempt has stored, but stores nothing', async ({ world }) => {
    const answered = deferred();
    const claimed = deferred();
    let isHeld = false;
    const late = await world.idle({
      wrap: (dialect) =>
        interceptStatements(dialect, async (query, execute) => {
          const result = await execute();
          const isClaim = query.sql.includes('claim_token = ');
          if (isClaim && isHeld && result.rows.length > 0) {
            claimed.resolve();
            await answered.promise;
          }
          return result;
        }),
    });
    const effects: string[] = [];
    const refusals: unknown[] = [];
    const task = (who: string) =>
      job('task', async (step) => {
        const result = step.run('one', () => {
          effects.push(`${who} ${step.attempt}`);
          return who;
        });
        return await result.catch((error: unknown) => refusals.push(error));
      });
    const errors = recordEvents(late.durably, ['worker:error']);
    const { id } = await late.durably.register({ task: task('late') }).task.trigger(0);
    isHeld = true;
    late.durably.start();
    await claimed.promise;

    const other = await world.instance({ pollingInterval: 5 });
    other.durably.register({ task: task('other') });
    await other.durably.init();
    await other.durably.cancel(id);
    await other.durably.retry(id);
    await untilStatus(other.durably, id, 'completed');
    isHeld = false;
    answered.resolve();
    await until(() => errors.length > 0);

    expect(effects).toEqual(['other 2', 'late 1']);
    expect(refusals).toEqual([expect.objectContaining({ code: 'LEASE_LOST' })]);
    expect(errors).toEqual([expect.objectContaining({ context: 'lease', runId: id })]);
    expect(await other.durably.getRun(id)).toMatchObject({ output: 'other', attempt: 2, stepCount: 1 });
    expect(await other.durably.getSteps(id)).toMatchObject([{ name: 'one', output: 'other' }]);
  });
});
