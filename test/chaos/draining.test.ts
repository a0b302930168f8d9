import { setTimeout as pause } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { checkAccepted, checkEnded, checkJournal } from './checks/journal.ts';
import { checkLedger } from './checks/ledger.ts';
import { holdWriteLock } from './machine/lock.ts';
import { Caller } from './support/caller.ts';
import { report, seeded } from './support/chaos.ts';
import { eventually } from './support/eventually.ts';
import { type Fleet, withFleet } from './support/fleet.ts';
import { countOpen, readRecords } from './support/records.ts';
import type { ServiceProcess } from './support/service-process.ts';

vi.setConfig({ testTimeout: 120_000 });

const SHUTDOWN_MS = 2000;
/** Long enough that no run is taken over as stale. Any change of owner is a hand-back. */
const NEVER_STALE = { DURABLY_STALE_THRESHOLD_MS: 600_000, DURABLY_SHUTDOWN_MS: SHUTDOWN_MS };

test('SIGTERM under load loses nothing: runs end or are handed back, and the process exits 0 in time', async () => {
  const random = seeded('draining');
  await withFleet({ ...NEVER_STALE, DURABLY_CONCURRENCY: 4 }, async (fleet) => {
    const leaver = await fleet.start();
    // Some of these runs ignore their signal and never end.
    const standing = await standAt(fleet, leaver, 2);
    const stayers = await fleet.startMany(2);
    const accepted = new Map(standing);
    const load = new AbortController();
    let number = 0;
    const callers = Array.from({ length: 8 }, async () => {
      const caller = new Caller(fleet, random.fork());
      while (!load.signal.aborted) {
        const idempotencyKey = `load ${number++}`;
        const body = { jobName: 'work', input: { steps: 3, maxMs: 50 }, idempotencyKey };
        accepted.set(idempotencyKey, await caller.trigger(body));
        await pause(20);
      }
    });
    await eventually('the load', () => accepted.size > 40);
    const signalledAt = performance.now();
    leaver.signal('SIGTERM');
    const exit = await leaver.ended();
    const exitedAt = Date.now();
    const drainedMs = performance.now() - signalledAt;
    await eventually('more load', () => accepted.size > 80);
    load.abort();
    await Promise.all(callers);

    expect(exit).toEqual({ code: 0, signal: null });
    expect(drainedMs).toBeLessThan(SHUTDOWN_MS + 1000);
    for (const service of stayers) fleet.openGate(service);
    await eventually('all runs to end', () => countOpen(fleet.database) === 0, { everyMs: 50 });
    const records = readRecords(fleet.database);
    const resumed = records.journal.filter(({ type }) => type === 'run:resume');
    expect(resumed.map(({ run_id }) => run_id)).toEqual(expect.arrayContaining([...standing.values()]));
    // Another process has each run within two seconds, although its slots are busy.
    for (const { created_at } of resumed) expect(created_at - exitedAt).toBeLessThan(2000);
    expect([
      ...fleet.seenViolations(),
      ...checkAccepted(records, accepted),
      ...checkEnded(records),
      ...checkJournal(records),
      ...checkLedger(records, fleet.ledger.rows()),
    ]).toEqual([]);
    report('draining', {
      figures: { accepted: accepted.size, 'handed back': resumed.length, 'drained in ms': drainedMs },
    });
  });
});

test('a draining process finishes its runs, claims no others and is not ready', async () => {
  await withFleet({ ...NEVER_STALE, DURABLY_SHUTDOWN_MS: 20_000, DURABLY_CONCURRENCY: 1 }, async (fleet) => {
    const service = await fleet.start();
    const standing = await standAt(fleet, service, 1);
    const api = fleet.api(service);
    // The slot is taken. It must not be filled again when it becomes free.
    const next = await api.triggered({ jobName: 'work', input: { steps: 1 } });
    service.signal('SIGTERM');
    await eventually('it to drain', () => service.log.includes('SIGTERM'));
    // Each request has its own connection, like those of a load balancer.
    const ask = (path: string) => fetch(new URL(path, service.url), { headers: { connection: 'close' } });
    const readiness = await ask('/readyz');
    expect(readiness.status).toBe(503);
    expect(await readiness.json()).toMatchObject({ draining: true, database: true });
    expect((await ask('/healthz')).status).toBe(200);
    const last = await api.triggered({ jobName: 'work', input: { steps: 1 } });
    fleet.openGate(service);
    expect(await service.ended()).toEqual({ code: 0, signal: null });
    const { runs } = readRecords(fleet.database);
    expect(runs.find(({ id }) => [...standing.values()].includes(id))).toMatchObject({
      status: 'completed',
      attempt: 1,
    });
    for (const id of [next, last])
      expect(runs.find((run) => run.id === id)).toMatchObject({ status: 'pending', attempt: 0 });
    expect(fleet.seenViolations()).toEqual([]);
  });
});

test('open event streams end when a process drains, and resume at another process', async () => {
  await withFleet({ ...NEVER_STALE }, async (fleet) => {
    const [first, second] = await fleet.startMany(2);
    if (!first || !second) throw new Error('two processes were to start');
    const stream = await fetch(`${fleet.api(first).base}/runs/subscribe`);
    first.signal('SIGTERM');
    expect(await first.ended()).toEqual({ code: 0, signal: null });
    expect(await stream.text()).toBe('retry: 1000\n\nid: 0\n\n');
    expect(
      (await fetch(`${fleet.api(second).base}/runs/subscribe`, { headers: { 'last-event-id': '0' } })).status,
    ).toBe(200);
  });
});

test("a process that can't drain in time exits 1", async () => {
  await withFleet({ ...NEVER_STALE }, async (fleet) => {
    const service = await fleet.start({ CHAOS_STOPS_ON_SIGTERM: 1 });
    await standAt(fleet, service, 1);
    const stream = await fetch(`${fleet.api(service).base}/runs/subscribe`);
    service.signal('SIGTERM');
    // The job sleeps longer than the process may take.
    await service.stopped();
    await eventually('it to say that it drains', () => service.log.includes('SIGTERM: draining'));
    await pause(SHUTDOWN_MS + 200);
    service.signal('SIGCONT');
    expect(await service.ended()).toEqual({ code: 1, signal: null });
    expect(service.log).toContain(`not drained within ${SHUTDOWN_MS} ms`);
    await stream.text().catch(() => undefined);
  });
});

test('a process that drains while the database is locked exits 0 in time and loses nothing', async () => {
  await withFleet({ ...NEVER_STALE, DURABLY_SHUTDOWN_MS: 4000 }, async (fleet) => {
    const service = await fleet.start();
    const standing = await standAt(fleet, service, 2);
    const release = holdWriteLock(fleet.database);
    const waiting = fleet.api(service).trigger({ jobName: 'work', input: { steps: 1 } });
    waiting.catch(() => undefined);
    service.signal('SIGTERM');
    expect(await service.ended()).toEqual({ code: 0, signal: null });
    release();
    await waiting.catch(() => undefined);
    const { runs } = readRecords(fleet.database);
    const ours = runs.filter(({ id }) => [...standing.values()].includes(id));
    expect(ours.map(({ status, attempt }) => ({ status, attempt }))).toEqual([
      { status: 'running', attempt: 1 },
      { status: 'running', attempt: 1 },
    ]);
  });
});

test('a second SIGTERM ends the process at once', async () => {
  await withFleet({ ...NEVER_STALE, DURABLY_SHUTDOWN_MS: 600_000 }, async (fleet) => {
    const service = await fleet.start();
    await standAt(fleet, service, 1);
    service.signal('SIGTERM');
    await eventually('it to drain', () => service.log.includes('SIGTERM'));
    expect(service.isAlive).toBe(true);
    service.signal('SIGTERM');
    expect(await service.ended()).toEqual({ code: 143, signal: null });
  });
});

/** Runs that wait at the gate of the only process, by their idempotency keys. */
async function standAt(fleet: Fleet, service: ServiceProcess, count: number): Promise<Map<string, string>> {
  const api = fleet.api(service);
  const standing = new Map<string, string>();
  for (let i = 0; i < count; i++) {
    const idempotencyKey = `gate ${i}`;
    standing.set(idempotencyKey, await api.triggered({ jobName: 'gate', input: {}, idempotencyKey }));
  }
  await eventually('the runs to stand', () => fleet.ledger.marks('standing').length === count);
  return standing;
}
