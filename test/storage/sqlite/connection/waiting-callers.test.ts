import { Kysely, sql } from 'kysely';
import { expect } from 'vitest';
import { DatabaseUnavailableError } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { idle } from '../../../support/idle.ts';
import { echo } from '../../../support/jobs.ts';
import { until } from '../../../support/until.ts';
import type { World } from '../../../support/world.ts';

/** Another connection that blocks writers, and in rollback-journal mode readers too. */
async function lock(world: World, keeps: 'writers' | 'everybody'): Promise<{ release(): Promise<void> }> {
  const { dialect } = await world.open();
  const raw = new Kysely<Record<string, never>>({ dialect });
  const transaction = await raw.startTransaction().execute();
  await sql`create table contender (n integer)`.execute(transaction);
  if (keeps === 'everybody') {
    // When the cache is full, changes go to the file, which readers must not see yet.
    await sql`pragma cache_size = 1`.execute(transaction);
    await sql`pragma cache_spill = 1`.execute(transaction);
    const big = 'x'.repeat(2_000_000);
    await sql`create table filler (a)`.execute(transaction);
    await sql`insert into filler select ${big} from (values (1), (2), (3))`.execute(transaction);
  }
  return { release: async () => void (await transaction.rollback().execute()) };
}

/** Runs a fake clock until it is told to stop, and records when each call was answered. */
function timed(clock: FakeClock) {
  const waitedMs: Record<string, number> = {};
  const ask = (name: string, call: () => Promise<unknown>) => {
    const startMs = clock.monotonicMs();
    call().then(
      () => {
        waitedMs[name] = Number.NaN;
      },
      (error: unknown) => {
        waitedMs[name] = error instanceof DatabaseUnavailableError ? clock.monotonicMs() - startMs : -1;
      },
    );
  };
  const run = async (condition: () => boolean) => {
    await until(async () => {
      if (condition()) return true;
      await idle();
      clock.advance(250);
      return false;
    });
  };
  return { waitedMs, ask, run };
}

contract(
  'while another connection holds a lock, each caller',
  (test) => {
    test('is refused ten seconds after its call, whatever it asks for, and nothing is stored', async ({
      world,
    }) => {
      const clock = new FakeClock();
      const { durably } = await world.idle({ clock });
      const { echo: handle } = durably.register({ echo });
      const [pending, other] = [await handle.trigger('pending'), await handle.trigger('other')];
      await durably.cancel(other.id);
      const held = await lock(world, 'writers');
      const { waitedMs, ask, run } = timed(clock);
      const startMs = clock.monotonicMs();
      const calls: Record<string, () => Promise<unknown>> = {
        trigger: () => handle.trigger('refused'),
        cancel: () => durably.cancel(pending.id),
        'second trigger': () => handle.trigger('refused, too'),
        'keyed trigger': () => handle.trigger('refused', { idempotencyKey: 'key' }),
        retry: () => durably.retry(other.id),
        delete: () => durably.deleteRun(other.id),
        retrigger: () => durably.retrigger(other.id),
        batch: () => handle.batchTrigger(['refused', 'refused']),
        'last trigger': () => handle.trigger('refused at last'),
      };
      let i = 0;
      for (const [name, call] of Object.entries(calls)) {
        await run(() => clock.monotonicMs() - startMs >= i * 1_500);
        ask(name, call);
        i++;
      }
      await run(() => Object.keys(waitedMs).length === Object.keys(calls).length);
      for (const ms of Object.values(waitedMs)) {
        expect(ms).toBeGreaterThanOrEqual(10_000);
        expect(ms).toBeLessThan(10_600);
      }
      await held.release();
      const runs = await durably.getRuns();
      expect(runs.map(({ payload, status }) => [payload, status])).toEqual([
        ['other', 'cancelled'],
        ['pending', 'pending'],
      ]);
    });

    test('is refused ten seconds after its call if that needs several statements, beside callers who want the same', async ({
      world,
    }) => {
      const clock = new FakeClock();
      const { durably } = await world.idle({ clock });
      const { echo: handle } = durably.register({ echo });
      const { id } = await handle.trigger('other');
      await durably.cancel(id);
      const held = await lock(world, 'writers');
      const { waitedMs, ask, run } = timed(clock);
      const startMs = clock.monotonicMs();
      const calls: Record<string, () => Promise<unknown>> = {
        // Nobody has counted runs before, so a write counts them first.
        jobs: () => durably.getJobs(),
        overview: () => durably.getOverview(),
        purge: () => durably.purgeRuns({ olderThan: 1 }),
        trigger: () => handle.trigger('refused'),
        'all of a kind': () => durably.retryRuns({ all: true }),
        coalesced: () => handle.trigger('refused', { concurrencyKey: 'key', coalesce: 'skip' }),
      };
      const asked = [1, 2, 3].flatMap((time) =>
        Object.entries(calls).map(([name, call]) => [`${name} ${time}`, call] as const),
      );
      for (const [i, [name, call]] of asked.entries()) {
        await run(() => clock.monotonicMs() - startMs >= i * 750);
        ask(name, call);
      }
      // None of them is still waiting ten seconds after the last one, and somebody always asks for more.
      await run(() => clock.monotonicMs() - startMs >= asked.length * 750 + 10_600);
      expect(Object.keys(waitedMs).sort()).toEqual(asked.map(([name]) => name).sort());
      for (const [name, ms] of Object.entries(waitedMs)) {
        expect(ms, name).toBeGreaterThanOrEqual(10_000);
        expect(ms, name).toBeLessThan(10_600);
      }
      await held.release();
      expect(await durably.getRuns()).toHaveLength(1);
    });

    test('is refused in time when it works on demand, beside a worker that waits for the same lock', async ({
      world,
    }) => {
      const clock = new FakeClock();
      const { durably } = await world.start({ clock, pollingInterval: 1_000 });
      const { echo: handle } = durably.register({ echo });
      await idle();
      const held = await lock(world, 'writers');
      const { waitedMs, ask, run } = timed(clock);
      const startMs = clock.monotonicMs();
      // The worker's own claim meets the lock within a second.
      await run(() => clock.monotonicMs() - startMs >= 5_000);
      ask('first', () => durably.processUntilIdle({ timeoutMs: 20_000 }));
      await run(() => clock.monotonicMs() - startMs >= 8_000);
      ask('second', () => durably.processUntilIdle({ timeoutMs: 20_000 }));
      ask('third', () => durably.processOne());
      await run(() => Object.keys(waitedMs).length === 3);
      for (const ms of Object.values(waitedMs)) {
        expect(ms).toBeGreaterThanOrEqual(9_000);
        expect(ms).toBeLessThan(10_600);
      }
      await held.release();
      let runId = '';
      void handle.trigger('after the lock').then(({ id }) => {
        runId = id;
      });
      await run(() => runId !== '' && clock.monotonicMs() - startMs >= 30_000);
      expect((await durably.getRun(runId))?.status).toBe('completed');
    });

    test('is refused in time when it only reads, if readers wait for writers', async ({ world }) => {
      const clock = new FakeClock();
      const { durably } = await world.idle({ clock });
      const { echo: handle } = durably.register({ echo });
      const { id } = await handle.trigger(0);
      await sql`pragma journal_mode = delete`.execute(durably.db);
      const held = await lock(world, 'everybody');
      const { waitedMs, ask, run } = timed(clock);
      ask('run', () => durably.getRun(id));
      await run(() => clock.monotonicMs() >= 3_000);
      ask('runs', () => durably.getRuns());
      ask('trigger', () => handle.trigger('refused'));
      await run(() => clock.monotonicMs() >= 6_000);
      ask('steps', () => durably.getSteps(id));
      await run(() => Object.keys(waitedMs).length === 4);
      for (const ms of Object.values(waitedMs)) {
        expect(ms).toBeGreaterThanOrEqual(10_000);
        expect(ms).toBeLessThan(10_600);
      }
      await held.release();
      expect(await durably.getRuns()).toHaveLength(1);
    });
  },
  ({ locks }) => locks === 'refuse',
);
