import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Dialect, sql, type Transaction } from 'kysely';
import { expect } from 'vitest';
import { NonRetryableError, type StepContext } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { job } from '../../support/jobs.ts';
import {
  ageHeartbeat,
  journalTypes,
  recordEvents,
  rejectionOf,
  startRun,
  untilStatus,
} from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';
import type { InstanceOptions, World } from '../../support/world.ts';
import { AT_ONCE } from './waiting/patient.ts';

interface Tables {
  readonly orders: { readonly id: string };
}
type Trx = Transaction<Tables>;

const write = async (trx: Trx, id: string) => {
  await trx.insertInto('orders').values({ id }).execute();
};

/** An instance with a worker, and a table of its user's. */
async function start(world: World, options: InstanceOptions = {}) {
  const { durably, statements } = await world.start({ pollingInterval: 25, ...options });
  await sql`create table if not exists orders (id text primary key)`.execute(durably.db);
  const written = async () => {
    const { rows } = await sql<{ id: string }>`select id from orders order by rowid`.execute(durably.db);
    return rows.map(({ id }) => id);
  };
  return { durably, statements, written };
}

/** The dialect, whose commits in transactions go through `around`. */
function aroundCommit(dialect: Dialect, around: (commit: () => Promise<void>) => Promise<void>): Dialect {
  const createDriver = dialect.createDriver.bind(dialect);
  dialect.createDriver = () => {
    const driver = createDriver();
    const commit = driver.commitTransaction.bind(driver);
    driver.commitTransaction = (connection) => around(() => commit(connection));
    return driver;
  };
  return dialect;
}

contract('a step in a transaction', (test) => {
  test('stores what its function writes together with its result', async ({ world }) => {
    const { durably, written } = await start(world);
    const events = recordEvents(durably, ['step:start', 'step:complete', 'log:write']);
    const { order } = durably.register({
      order: job('order', async (step) => {
        const got = await step.transaction('store', async (trx: Trx) => {
          step.log.info('storing');
          await write(trx, 'a');
          return { stored: 'a', at: new Date(0) };
        });
        return await step.run('after', () => got);
      }),
    });
    const { id } = await order.trigger(null);
    const run = await untilStatus(durably, id, 'completed');
    expect(run.output).toEqual({ stored: 'a', at: '1970-01-01T00:00:00.000Z' });
    expect(await written()).toEqual(['a']);
    expect(await durably.getSteps(id)).toMatchObject([
      { name: 'store', index: 0, kind: 'transaction', status: 'completed', output: { stored: 'a' } },
      { name: 'after', kind: 'run' },
    ]);
    const types = ['step:start', 'log:write', 'step:complete', 'step:start', 'step:complete'];
    expect(await journalTypes(durably, id)).toEqual(['run:trigger', 'run:start', ...types, 'run:complete']);
    expect(events.map(({ type }) => type)).toEqual(types);
  });

  test('leaves nothing of what its function wrote before it threw', async ({ world }) => {
    const { durably, written } = await start(world);
    const { order } = durably.register({
      order: job('order', async (step) => {
        await step.transaction('store', async (trx: Trx) => {
          step.log.info('storing');
          await write(trx, 'a');
          throw new Error('no');
        });
      }),
    });
    const { id } = await order.trigger(null);
    const run = await untilStatus(durably, id, 'failed');
    expect(run).toMatchObject({ error: 'no', failedStepName: 'store' });
    expect(await written()).toEqual([]);
    expect(await durably.getSteps(id)).toMatchObject([
      { kind: 'transaction', status: 'failed', error: 'no' },
    ]);
    expect(await journalTypes(durably, id)).toEqual([
      ...['run:trigger', 'run:start', 'step:start', 'log:write', 'step:fail', 'run:fail'],
    ]);
  });

  test('is not called again by a retry of its run, nor by a fork', async ({ world }) => {
    const { durably, written } = await start(world);
    let fails = true;
    const { order } = durably.register({
      order: job('order', async (step) => {
        const got = await step.transaction('store', async (trx: Trx) => {
          await write(trx, 'a');
          return 'a';
        });
        if (fails) throw new Error('not yet');
        return await step.run('rest', () => got);
      }),
    });
    const { id } = await order.trigger(null);
    await untilStatus(durably, id, 'failed');
    fails = false;
    await durably.retry(id);
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({ output: 'a' });
    const fork = await durably.fork(id, { from: 'rest' });
    expect(await untilStatus(durably, fork.id, 'completed')).toMatchObject({ output: 'a' });
    expect(await durably.getSteps(fork.id)).toMatchObject([{ kind: 'transaction' }, { kind: 'run' }]);
    expect(await written()).toEqual(['a']);
  });

  test('is tried again as a whole if it has retries', async ({ world }) => {
    const { durably, written } = await start(world);
    const tries: unknown[] = [];
    const { order } = durably.register({
      order: job('order', async (step, input) => {
        const retries = { limit: 2, ...AT_ONCE };
        await step.transaction('store', { retries }, async (trx: Trx, signal, { attempt }) => {
          tries.push([attempt, signal.aborted]);
          await write(trx, `${input} ${attempt}`);
          if (input === 'final') throw new NonRetryableError('final');
          if (attempt < 3) throw new Error('again');
        });
      }),
    });
    const { id } = await order.trigger('order');
    await untilStatus(durably, id, 'completed');
    expect(tries.splice(0)).toEqual([1, 2, 3].map((attempt) => [attempt, false]));
    expect(await durably.getSteps(id)).toMatchObject([{ kind: 'transaction', status: 'completed' }]);
    const { id: final } = await order.trigger('final');
    await untilStatus(durably, final, 'failed');
    expect(tries).toEqual([[1, false]]);
    expect(await written()).toEqual(['order 3']);
  });

  test('gives up after its time, and what its function does then is refused', async ({ world }) => {
    const { durably, written } = await start(world);
    const late = deferred<Error>();
    const { order } = durably.register({
      order: job('order', (step) =>
        step.transaction('store', { timeout: 20 }, async (trx: Trx) => {
          const writing = async () => {
            for (let i = 0; ; i++) {
              await write(trx, `${i}`);
              await nextTurn();
            }
          };
          late.resolve(await rejectionOf(writing()));
        }),
      ),
    });
    const { id } = await order.trigger(null);
    const run = await untilStatus(durably, id, 'failed');
    expect(run.error).toBe('Step "store" timed out after 20 ms');
    expect((await late.promise).message).toMatch(/transaction|rolled back/i);
    expect(await written()).toEqual([]);
  });

  test('renews its lease, because no heartbeat does meanwhile', async ({ world }) => {
    const { durably } = await start(world, { heartbeatInterval: 20_000 });
    const heartbeatOf = async (id: string) => {
      const run = durably.db.selectFrom('durably_runs').select('heartbeat_at').where('id', '=', id);
      return (await run.executeTakeFirstOrThrow()).heartbeat_at ?? 0;
    };
    const [begun, aged] = [deferred(), deferred()];
    const { order } = durably.register({
      order: job('order', async (step) => {
        begun.resolve();
        await aged.promise;
        await step.transaction('store', () => 1);
        return await heartbeatOf(step.runId);
      }),
    });
    const { id } = await order.trigger(null);
    await begun.promise;
    await ageHeartbeat(durably, id, 15_000);
    const before = await heartbeatOf(id);
    aged.resolve();
    const { output } = await untilStatus(durably, id, 'completed');
    expect(Number(output) - before).toBeGreaterThanOrEqual(15_000);
  });

  test('is rolled back if JSON, or maxResultBytes, can not hold its result', async ({ world }) => {
    const { durably, written } = await start(world, { maxResultBytes: 1_000 });
    const { order } = durably.register({
      order: job('order', (step, input) =>
        step.transaction('store', async (trx: Trx) => {
          await write(trx, String(input));
          return input === 'bigint' ? 1n : 'x'.repeat(2_000);
        }),
      ),
    });
    for (const input of ['bigint', 'large']) {
      const { id } = await order.trigger(input);
      const { error } = await untilStatus(durably, id, 'failed');
      expect(error).toMatch(/^Step "store" returned/);
    }
    expect(await written()).toEqual([]);
  });

  test('refuses steps, and calls that would wait for it, within its function', async ({ world }) => {
    const { durably, written } = await start(world);
    const { other } = durably.register({ other: job('other', (_step, input) => input) });
    const { order } = durably.register({
      order: job('order', (step) =>
        step.transaction('store', async (trx: Trx) => {
          await write(trx, 'a');
          const refusals = [
            step.run('inner', () => 1),
            step.transaction('inner', () => 1),
            step.sleep('inner', 1),
            durably.trigger({ jobName: 'other', input: 1 }),
            durably.cancel(step.runId),
            durably.db.transaction().execute(async () => 1),
            sql`insert into orders values ('b')`.execute(durably.db),
          ].map(rejectionOf);
          const messages = await Promise.all(refusals.map(async (refusal) => (await refusal).message));
          const run = await other.trigger(7, { trx });
          return { messages, runId: run.id };
        }),
      ),
    });
    const { id } = await order.trigger(null);
    const { output } = await untilStatus(durably, id, 'completed');
    const { messages, runId } = output as { messages: string[]; runId: string };
    const within = `can't be called inside of the transaction of step "store"`;
    expect(messages).toEqual([
      ...Array.from({ length: 3 }, () => `Step "inner" ${within}`),
      ...Array.from({ length: 4 }, () => expect.stringContaining('would wait for that transaction')),
    ]);
    expect(await written()).toEqual(['a']);
    expect(await untilStatus(durably, runId, 'completed')).toMatchObject({ output: 7 });
    expect((await durably.getRuns({ jobName: 'other' })).length).toBe(1);
  });

  test('triggers nothing if it is rolled back', async ({ world }) => {
    const { durably } = await start(world);
    const { other } = durably.register({ other: job('other', () => 1) });
    const { order } = durably.register({
      order: job('order', (step) =>
        step.transaction('store', async (trx) => {
          await other.trigger(7, { trx });
          throw new Error('no');
        }),
      ),
    });
    const { id } = await order.trigger(null);
    await untilStatus(durably, id, 'failed');
    expect(await durably.getRuns({ jobName: 'other' })).toEqual([]);
  });

  test('takes turns with others, of its run and of other runs', async ({ world }) => {
    const { durably, written } = await start(world, { maxConcurrentRuns: 4 });
    let open = 0;
    const { order } = durably.register({
      order: job('order', async (step, input) => {
        const names = ['a', 'b', 'c'];
        const stored = names.map((name) =>
          step.transaction(name, async (trx: Trx) => {
            expect(++open).toBe(1);
            await write(trx, `${input} ${name}`);
            await sql`select 1`.execute(trx);
            open--;
            return name;
          }),
        );
        const [ran] = await Promise.all([step.run('beside', () => 'beside'), ...stored]);
        return ran;
      }),
    });
    const runs = await order.batchTrigger([1, 2, 3, 4]);
    for (const { id } of runs) {
      expect(await untilStatus(durably, id, 'completed')).toMatchObject({ output: 'beside', stepCount: 4 });
    }
    expect((await written()).length).toBe(12);
  });

  test('keeps a write of the process waiting, and a cancellation comes after it', async ({ world }) => {
    const { durably, written } = await start(world);
    const begun = deferred();
    const goOn = deferred();
    const { order } = durably.register({
      order: job('order', async (step) => {
        await step.transaction('store', async (trx: Trx) => {
          await write(trx, 'a');
          begun.resolve();
          await goOn.promise;
        });
        await new Promise(() => undefined);
      }),
    });
    const { id } = await order.trigger(null);
    await begun.promise;
    const cancelled = durably.cancel(id);
    goOn.resolve();
    await cancelled;
    await untilStatus(durably, id, 'cancelled');
    expect(await written()).toEqual(['a']);
    expect(await durably.getSteps(id)).toMatchObject([{ name: 'store', status: 'completed' }]);
  });

  test('is refused before its function is called if another worker has the run', async ({ world }) => {
    const calls: string[] = [];
    const [begun, goOn, rescued, ended] = [deferred(), deferred(), deferred(), deferred()];
    const run = (who: string) =>
      job('order', async (step: StepContext) => {
        if (who === 'lost') {
          begun.resolve();
          await goOn.promise;
        }
        await step.transaction('store', async (trx: Trx) => {
          calls.push(who);
          await write(trx, who);
        });
        rescued.resolve();
        await ended.promise;
      });
    const lost = await start(world, { clock: new FakeClock() });
    const { order } = lost.durably.register({ order: run('lost') });
    const { id } = await startRun(lost.durably, order, null);
    await begun.promise;
    const rescuer = await start(world);
    rescuer.durably.register({ order: run('rescuer') });
    await ageHeartbeat(rescuer.durably, id, 30_001);
    await rescued.promise;
    goOn.resolve();
    await until(() => lost.durably.countRunning() === 0, 'the lost run to end');
    ended.resolve();
    await untilStatus(rescuer.durably, id, 'completed');
    expect(calls).toEqual(['rescuer']);
    expect(await rescuer.written()).toEqual(['rescuer']);
  });

  test('asks what became of a commit whose answer is lost', async ({ world }) => {
    let lost: 'before' | 'after' | undefined;
    const { durably, written } = await start(world, {
      wrap: (dialect) =>
        aroundCommit(dialect, async (commit) => {
          const when = lost;
          lost = undefined;
          if (when !== 'before') await commit();
          if (when !== undefined) throw new Error('the connection was reset');
        }),
    });
    const calls: unknown[] = [];
    const { order } = durably.register({
      order: job('order', (step, input) =>
        step.transaction('store', async (trx: Trx) => {
          calls.push(input);
          lost = calls.filter((each) => each === input).length === 1 ? (input as 'before') : undefined;
          await write(trx, String(input));
        }),
      ),
    });
    for (const when of ['before', 'after']) {
      const { id } = await order.trigger(when);
      await untilStatus(durably, id, 'completed');
      expect(await journalTypes(durably, id)).toEqual([
        ...['run:trigger', 'run:start', 'step:start', 'step:complete', 'run:complete'],
      ]);
    }
    expect(calls).toEqual(['before', 'before', 'after']);
    expect(await written()).toEqual(['before', 'after']);
  });

  test('is rolled back if nobody waits for it when its job ends', async ({ world }) => {
    const { durably, written } = await start(world);
    const { order } = durably.register({
      order: job('order', async (step) => {
        const begun = deferred();
        void step
          .transaction('store', async (trx: Trx) => {
            await write(trx, 'a');
            begun.resolve();
            await new Promise(() => undefined);
          })
          .catch(() => undefined);
        await begun.promise;
        return 'ended';
      }),
    });
    const { id } = await order.trigger(null);
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({ output: 'ended', stepCount: 0 });
    expect(await written()).toEqual([]);
  });

  test('keeps its sensitive result from others', async ({ world }) => {
    const { durably } = await start(world);
    const { order } = durably.register({
      order: job('order', async (step) => {
        const key = await step.transaction('key', { sensitive: true }, () => 'secret');
        return key.length;
      }),
    });
    const { id } = await order.trigger(null);
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({ output: 6 });
    expect(await durably.getSteps(id)).toMatchObject([{ kind: 'transaction', output: '[redacted]' }]);
  });
});

contract(
  'a step in a transaction that its function ends',
  (test) => {
    test('fails, and its result is not stored', async ({ world }) => {
      const { durably, written } = await start(world);
      const { order } = durably.register({
        order: job('order', (step) =>
          step.transaction('store', async (trx: Trx) => {
            await write(trx, 'a');
            await sql`rollback`.execute(trx);
            return 'stored';
          }),
        ),
      });
      const { id } = await order.trigger(null);
      expect(await untilStatus(durably, id, 'failed')).toMatchObject({
        error: expect.stringMatching(/ended by its function|refused its result/),
      });
      expect(await written()).toEqual([]);
    });
  },
  // A server's transaction refuses every statement then.
  ({ locks }) => locks === 'refuse',
);
