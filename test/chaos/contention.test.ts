import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Kysely, sql } from 'kysely';
import { expect, test, vi } from 'vitest';
import { openServiceDatabase } from '../../src/app/database.ts';
import { systemClock } from '../../src/core/time/clock.ts';
import { GuardedDialect } from '../../src/storage/sqlite/connection/guard/guarded-dialect.ts';
import { checkAccepted, checkJournal } from './checks/journal.ts';
import { checkLedger } from './checks/ledger.ts';
import { holdWriteLock } from './machine/lock.ts';
import { raceForRuns } from './scenarios/contention.ts';
import { Caller } from './support/caller.ts';
import { report, scale, seeded } from './support/chaos.ts';
import { eventually } from './support/eventually.ts';
import { withFleet } from './support/fleet.ts';
import { readRecords } from './support/records.ts';
import type { ServiceProcess } from './support/service-process.ts';

vi.setConfig({ testTimeout: 600_000 });

test('when eight processes send the same command for a run, one succeeds and the others get the error for its state', async () => {
  const outcome = await raceForRuns({ random: seeded('contention'), runs: scale(10) });
  report('contention', outcome);
  expect(outcome.violations).toEqual([]);
});

/** After SQLITE_BUSY, a libSQL connection reports success and commits nothing. */
test('each trigger that is accepted while another program locks the database is stored', async () => {
  const random = seeded('lock');
  await withFleet({ DURABLY_STALE_THRESHOLD_MS: 20_000 }, async (fleet) => {
    await fleet.startMany(2);
    const accepted = new Map<string, string>();
    const caller = new Caller(fleet, random.fork());
    let waitedMs = 0;
    const triggerOne = async (number: number) => {
      const start = performance.now();
      const idempotencyKey = `trigger ${number}`;
      const body = { jobName: 'work', input: { steps: 3, maxMs: 20 }, idempotencyKey };
      accepted.set(idempotencyKey, await caller.trigger(body));
      waitedMs = Math.max(waitedMs, performance.now() - start);
    };
    const triggers: Promise<void>[] = [];
    for (let round = 0; round < scale(4); round++) {
      const release = holdWriteLock(fleet.database);
      const heldUntil = performance.now() + random.int(100, 500);
      while (performance.now() < heldUntil) {
        triggers.push(triggerOne(triggers.length));
        await pause(10);
      }
      release();
      for (let i = 0; i < 10; i++) triggers.push(triggerOne(triggers.length));
      await Promise.all(triggers);
    }
    // The test is only valid if the lock was met.
    expect(waitedMs).toBeGreaterThan(90);

    const reader = fleet.api(await fleet.start({ DURABLY_POLLING_INTERVAL_MS: 1_000_000 }));
    await eventually('every accepted run to be seen as completed', async () => {
      const completed = await reader.runs('status=completed&limit=1000');
      const ids = new Set(completed.map(({ id }) => id));
      return [...accepted.values()].every((id) => ids.has(id));
    });
    const records = readRecords(fleet.database);
    expect([
      ...fleet.seenViolations(),
      ...checkAccepted(records, accepted),
      ...checkJournal(records),
      ...checkLedger(records, fleet.ledger.rows()),
    ]).toEqual([]);
    report('lock', { figures: { accepted: accepted.size, 'longest wait ms': waitedMs } });
  });
});

test('waiting for a locked database blocks the event loop for less than 50 ms at a time', async () => {
  await withFleet({ DURABLY_STALE_THRESHOLD_MS: 20_000 }, async (fleet) => {
    const service = await fleet.start();
    const release = holdWriteLock(fleet.database);
    const waiting = fleet.api(service).trigger({ jobName: 'work', input: { steps: 1 } });
    const delays = await measureOften(service, 10);
    release();
    expect((await waiting).status).toBe(200);
    report('busy', {
      figures: { 'least of the longest loop delays': Math.min(...delays), longest: Math.max(...delays) },
    });
    // The service tried to take the lock in each of these windows. A blocking wait would show in all of them, a
    // pause of the machine only in some.
    expect(Math.min(...delays)).toBeLessThan(50);
  });
});

test("the service's connection keeps its short lock timeout after it is renewed", async () => {
  await withFleet({}, async (fleet) => {
    const { dialect, close } = await openServiceDatabase({ url: pathToFileURL(fleet.database).href });
    const db = new Kysely<Record<string, never>>({
      dialect: new GuardedDialect(dialect, { clock: systemClock }),
    });
    const busyTimeout = async () => {
      const { rows } = await sql<{ timeout: number }>`pragma busy_timeout`.execute(db);
      return rows[0]?.timeout;
    };
    expect(await busyTimeout()).toBe(25);
    await sql`create table contended (n integer)`.execute(db);
    const release = holdWriteLock(fleet.database);
    const write = sql`insert into contended values (1)`.execute(db);
    await pause(100);
    release();
    await write;
    expect(await busyTimeout()).toBe(25);
    await close();
  });
});

/** The longest delay of the event loop in each window, ms. */
async function measureOften(service: ServiceProcess, times: number): Promise<number[]> {
  const delays: number[] = [];
  await service.measure();
  for (let i = 0; i < times; i++) {
    await pause(200);
    delays.push((await service.measure()).maxLoopDelayMs);
  }
  return delays;
}
