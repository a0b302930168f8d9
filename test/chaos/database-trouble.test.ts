import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { checkEnded, checkJournal } from './checks/journal.ts';
import { checkLedger } from './checks/ledger.ts';
import { launcherBelowModes } from './machine/below-modes.ts';
import { holdWriteLock } from './machine/lock.ts';
import { createSmallDisk } from './machine/small-disk.ts';
import type { Api } from './support/api.ts';
import { report } from './support/chaos.ts';
import { eventually } from './support/eventually.ts';
import { type Fleet, withFleet } from './support/fleet.ts';
import { countOpen, readRecords, withDatabase } from './support/records.ts';

vi.setConfig({ testTimeout: 120_000 });

/** Long enough that no lease is lost while the database fails. */
const PATIENT = { DURABLY_STALE_THRESHOLD_MS: 120_000 };
const step = { jobName: 'work', input: { steps: 1 } };
/** The errors that a worker may report while the database fails. */
const expected = ['claim', 'append', 'heartbeat', 'telemetry', 'feed'];

test('a file that is not a database fails the start with one line and stays unchanged', async () => {
  await withFleet({}, async (fleet) => {
    mkdirSync(dirname(fleet.database));
    await expectNoStart(fleet, 'nothing like a database '.repeat(400), /is not a database/);
  });
});

test("a folder that can't be created fails the start with one line", async () => {
  await withFleet({}, async (fleet) => {
    const service = fleet.spawn({ TURSO_DATABASE_URL: 'file:/proc/nowhere/a/durably.db' });
    expect(await service.ended()).toEqual({ code: 1, signal: null });
    expect(service.log).toMatch(/^durably: cannot start: .*\/proc\/nowhere.*\n$/);
  });
});

test('a truncated database fails the start with one line and stays unchanged', async () => {
  await withFleet({}, async (fleet) => {
    const whole = await makeDatabase(fleet, 30);
    await expectNoStart(fleet, whole.subarray(0, Math.floor(whole.length / 8192) * 4096), /was cut short/);
  });
});

test('a database of a newer version fails the start with one line and stays unchanged', async () => {
  await withFleet({}, async (fleet) => {
    await makeDatabase(fleet, 1);
    withDatabase(fleet.database, (database) => {
      database.exec("insert into durably_schema_versions values (99, 'from_the_future', 1)");
      database.exec('pragma wal_checkpoint(truncate)');
    });
    await expectNoStart(fleet, readFileSync(fleet.database), /version 99/);
  });
});

test('a read-only database fails the start with one line, and works once it is writable', async ({
  skip,
}) => {
  await withFleet({}, async (fleet) => {
    const launcher = launcherBelowModes(fleet.folder);
    skip(launcher === undefined, 'nothing is read-only to the superuser, and setpriv can not change that');
    const folder = dirname(fleet.database);
    mkdirSync(folder);
    const allow = (mode: { folder: number; file: number }) => {
      for (const name of readdirSync(folder)) chmodSync(join(folder, name), mode.file);
      chmodSync(folder, mode.folder);
    };
    allow({ folder: 0o755, file: 0o644 });
    const first = await fleet.start({ DURABLY_POLLING_INTERVAL_MS: 1_000_000 }, { launcher });
    const waiting = await Promise.all(
      Array.from({ length: 5 }, () => fleet.api(first).triggered({ ...step, concurrencyKey: 'one' })),
    );
    await first.kill();

    allow({ folder: 0o555, file: 0o444 });
    const refused = fleet.spawn({}, { launcher });
    expect(await refused.ended()).toEqual({ code: 1, signal: null });
    expect(refused.log).toMatch(
      /^durably: cannot start: .*(read-only|not writable) \(EACCES\): TURSO_DATABASE_URL=.*\n$/,
    );
    allow({ folder: 0o755, file: 0o644 });
    const service = await fleet.start({}, { launcher });
    await expectRecovery(fleet, fleet.api(service), waiting);
  });
});

test('with a full disk the service is not ready, and it stores waiting results once there is room', async () => {
  await withFleet(PATIENT, async (fleet) => {
    const disk = createSmallDisk(dirname(fleet.database));
    try {
      const service = await fleet.start();
      const api = fleet.api(service);
      const standing = await Promise.all(
        Array.from({ length: 3 }, () => api.triggered({ jobName: 'gate', input: {} })),
      );
      await eventually('the runs to stand', () => fleet.ledger.marks('standing').length === standing.length);
      disk.fill(service);
      const accepted = [...(await triggerUntilRefused(api, 20_000)), ...(await triggerUntilRefused(api, 10))];
      accepted.push(...(await expectRefusal(api)));
      // The steps of these runs end while nothing can be stored.
      fleet.openGate(service);
      await eventually('the steps to end', () => fleet.ledger.marks('through').length === standing.length);
      await eventually('a step to meet the full disk', () =>
        service.workerErrors.some(({ context }) => context === 'append'),
      );
      disk.free(service);
      await expectRecovery(fleet, api, [...standing, ...accepted]);
      expect(fleet.ledger.marks('standing')).toHaveLength(standing.length);
      report('disk', { figures: { [disk.kind]: 1, 'accepted before it was full': accepted.length } });
    } finally {
      await Promise.all(fleet.all.map((service) => service.kill()));
      disk.remove();
    }
  });
});

test('the service uses a database again that was truncated and restored while it ran', async () => {
  await withFleet(PATIENT, async (fleet) => {
    const service = await fleet.start();
    const api = fleet.api(service);
    const done = await Promise.all(Array.from({ length: 30 }, () => api.triggered(step)));
    await eventually('the runs to end', () => countOpen(fleet.database) === 0);
    withDatabase(fleet.database, (database) => database.exec('pragma wal_checkpoint(truncate)'));
    const copy = `${fleet.database}.copy`;
    copyFileSync(fleet.database, copy);
    truncateSync(fleet.database, 2 * 4096);
    await eventually('it to say that it is not ready', async () => (await api.ready()).status === 503);
    await expectRefusal(api);
    writeFileSync(fleet.database, readFileSync(copy));
    await expectRecovery(fleet, api, done);
  });
});

test('while another program holds the lock for ten seconds, requests wait or are refused, and runs continue', async () => {
  await withFleet(PATIENT, async (fleet) => {
    const service = await fleet.start();
    const api = fleet.api(service);
    const standing = await api.triggered({ jobName: 'gate', input: {} });
    await eventually('the run to stand', () => fleet.ledger.marks('standing').length === 1);
    const release = holdWriteLock(fleet.database);
    const held = pause(10_500);
    const early = api.trigger({ ...step, idempotencyKey: 'early' });
    const starting = fleet.spawn();
    fleet.openGate(service);
    await eventually('it to say that it is not ready', async () => (await api.ready()).status === 503);
    expect((await api.run(standing)).status).toBe('running');
    expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
    await pause(8_000);
    const late = api.trigger({ ...step, idempotencyKey: 'late' });
    await held;
    release();
    await starting.listening();
    // The first caller waited for the full limit, the second until the lock was released.
    const { status, headers } = await early;
    expect([200, 503]).toContain(status);
    expect(headers.get('retry-after') === null).toBe(status === 200);
    expect((await late).status).toBe(200);
    const accepted = [early, late].map(async (answer) => {
      const { text } = await answer;
      return status === 200 || answer === late ? [JSON.parse(text).runId] : [];
    });
    await expectRecovery(fleet, api, [standing, ...(await Promise.all(accepted)).flat()]);
  });
});

/** Creates a database file with some runs in it. Its process has ended. */
async function makeDatabase(fleet: Fleet, runs: number): Promise<Buffer> {
  const service = await fleet.start();
  const api = fleet.api(service);
  await Promise.all(
    Array.from({ length: runs }, () => api.triggered({ jobName: 'work', input: { steps: 3 } })),
  );
  await eventually('the runs to end', () => countOpen(fleet.database) === 0);
  await service.kill();
  withDatabase(fleet.database, (database) => database.exec('pragma wal_checkpoint(truncate)'));
  return readFileSync(fleet.database);
}

async function expectNoStart(fleet: Fleet, content: string | Buffer, reason: RegExp): Promise<void> {
  writeFileSync(fleet.database, content);
  const service = fleet.spawn();
  expect(await service.ended()).toEqual({ code: 1, signal: null });
  const lines = service.log.trim().split('\n');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^durably: cannot start: /);
  expect(lines[0]).toMatch(reason);
  expect(readFileSync(fleet.database).equals(Buffer.from(content))).toBe(true);
}

async function triggerUntilRefused(api: Api, size: number): Promise<string[]> {
  const accepted: string[] = [];
  for (;;) {
    const input = { steps: 1, key: 'x'.repeat(size) };
    const answer = await api.trigger({ jobName: 'work', input });
    if (answer.status !== 200) return accepted;
    accepted.push(JSON.parse(answer.text).runId);
  }
}

/**
 * Triggers until one is refused, since a small trigger may still find room on a full disk. Returns the accepted
 * runs.
 */
async function expectRefusal(api: Api): Promise<string[]> {
  const accepted: string[] = [];
  let answer = await api.trigger(step);
  for (; answer.status === 200; answer = await api.trigger(step)) {
    accepted.push(JSON.parse(answer.text).runId);
  }
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(answer.text).not.toMatch(/SQLITE|sqlite|disk|file|at .*:\d+/);
  expect((await api.ready()).status).toBe(503);
  return accepted;
}

async function expectRecovery(fleet: Fleet, api: Api, accepted: readonly string[]): Promise<void> {
  await eventually('it to be ready again', async () => (await api.ready()).status === 200);
  const next = await api.triggered(step);
  await eventually('all runs to end', () => countOpen(fleet.database) === 0, { everyMs: 50 });
  const records = readRecords(fleet.database);
  const completed = new Set(records.runs.filter(({ status }) => status === 'completed').map(({ id }) => id));
  expect([...accepted, next].filter((id) => !completed.has(id))).toEqual([]);
  expect([
    ...fleet.seenViolations({ expected, logsMayTell: true }),
    ...checkEnded(records),
    ...checkJournal(records),
    ...checkLedger(records, fleet.ledger.rows()),
  ]).toEqual([]);
  const integrity = withDatabase(fleet.database, (database) =>
    database.prepare('pragma integrity_check').all(),
  );
  expect(integrity).toEqual([{ integrity_check: 'ok' }]);
}
