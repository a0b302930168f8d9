import { expect, test, vi } from 'vitest';
import { checkEnded, checkJournal } from './checks/journal.ts';
import { checkLedger } from './checks/ledger.ts';
import { report } from './support/chaos.ts';
import { eventually } from './support/eventually.ts';
import { withFleet } from './support/fleet.ts';
import { countOpen, readRecords, withDatabase } from './support/records.ts';
import type { ServiceProcess } from './support/service-process.ts';

vi.setConfig({ testTimeout: 120_000 });

const HEARTBEAT_MS = 500;

test('a cancel at any process aborts the signal of the running step within one heartbeat', async () => {
  const settings = { DURABLY_HEARTBEAT_INTERVAL_MS: HEARTBEAT_MS, DURABLY_STALE_THRESHOLD_MS: 60_000 };
  await withFleet(settings, async (fleet) => {
    const owner = await fleet.start();
    const other = await fleet.start({ DURABLY_POLLING_INTERVAL_MS: 1_000_000 });
    const delays: Record<string, number[]> = { here: [], elsewhere: [] };
    for (let i = 0; i < 8; i++) {
      const id = await fleet.api(owner).triggered({ jobName: 'gate', input: {} });
      await eventually('the run to stand', () =>
        fleet.ledger.marks('standing').some(({ run }) => run === id),
      );
      const where = i % 2 === 0 ? 'here' : 'elsewhere';
      expect((await fleet.api(where === 'here' ? owner : other).command('cancel', id)).status).toBe(200);
      const cancelledAt = Date.now();
      const aborted = await eventually('the signal', () =>
        fleet.ledger.marks('aborted').find(({ run }) => run === id),
      );
      delays[where]?.push(aborted.at - cancelledAt);
    }
    fleet.openGate(owner);
    // Whatever the job does from here on is refused.
    await eventually('the steps to be refused', () => fleet.ledger.marks('last refused').length === 8);
    const here = fleet.ledger.marks('last refused').map(({ detail }) => detail);
    expect(new Set(here)).toEqual(new Set(['RUN_CANCELLED', 'LEASE_LOST']));
    const times = { here: medianOf(delays.here), elsewhere: Math.max(...(delays.elsewhere ?? [])) };
    report('cancel', {
      figures: { 'aborted here after ms': times.here, 'elsewhere, at most': times.elsewhere },
    });
    expect(times.here).toBeLessThan(HEARTBEAT_MS / 2);
    // A round trip, plus the time it takes on a loaded machine.
    expect(medianOf(delays.elsewhere)).toBeLessThan(HEARTBEAT_MS + 100);
    expect(times.elsewhere).toBeLessThan(2 * HEARTBEAT_MS);
    const records = readRecords(fleet.database);
    expect(records.runs.map(({ status }) => status)).toEqual(records.runs.map(() => 'cancelled'));
    expect([...fleet.seenViolations({ expected: [] }), ...checkJournal(records)]).toEqual([]);
  });
});

/** docs/guarantees.md does not promise this. The test shows the limits of what happens. */
test('a worker whose run was cancelled and retried elsewhere may repeat a finished step, but stores nothing', async () => {
  await withFleet({ DURABLY_STALE_THRESHOLD_MS: 600_000, DURABLY_CONCURRENCY: 1 }, async (fleet) => {
    const first = await fleet.start({ DURABLY_HEARTBEAT_INTERVAL_MS: 500_000 });
    const id = await fleet.api(first).triggered({ jobName: 'gate', input: {} });
    const standing = () => fleet.ledger.marks('standing').length;
    await eventually('the run to stand', () => standing() === 1);
    const second = await fleet.start();
    fleet.openGate(second);
    const api = fleet.api(second);
    expect((await api.command('cancel', id)).status).toBe(200);
    expect((await api.command('retry', id)).status).toBe(200);
    await eventually('the second attempt', async () => (await api.run(id)).status === 'completed');
    fleet.openGate(first);
    await eventually('the first to be refused', () => fleet.ledger.marks('last refused').length === 1);

    const effects = fleet.ledger.rows().filter(({ kind, step }) => kind === 'effect' && step === 'gate');
    expect(effects.map(({ claim, pid }) => ({ claim, pid }))).toEqual([
      { claim: 2, pid: second.pid },
      { claim: 1, pid: first.pid },
    ]);
    const records = readRecords(fleet.database);
    const stored = records.journal.filter((row) => row.type === 'step:complete' && row.step_name === 'gate');
    expect(stored.map(({ attempt, data }) => ({ attempt, data }))).toEqual([
      { attempt: 2, data: JSON.stringify(effects[0]?.value) },
    ]);
    await eventually('it to be reported', () => fleet.lostLeases.has(id));
    expect([
      ...fleet.seenViolations({ expected: ['lease'] }),
      ...checkJournal(records),
      ...checkLedger(records, fleet.ledger.rows()),
    ]).toEqual([]);
  });
});

test('a poll that fails is reported and repeated with growing pauses, until the database works again', async () => {
  await withFleet({ DURABLY_POLLING_INTERVAL_MS: 20 }, async (fleet) => {
    const service = await fleet.start();
    const api = fleet.api(service);
    const before = await api.triggered({ jobName: 'work', input: { steps: 1 } });
    await eventually('a run', async () => (await api.run(before)).status === 'completed');
    const failures = () => service.workerErrors.filter(({ context }) => context === 'claim').length;
    rename(fleet.database, { from: 'durably_steps', to: 'durably_hidden' });
    rename(fleet.database, { from: 'durably_runs', to: 'durably_runs_hidden' });
    await eventually('the failure to be reported', () => failures() >= 3);
    const start = performance.now();
    const seen = failures();
    await eventually('more failures', () => failures() >= seen + 3);
    // Without growing pauses it would take 60 ms.
    expect(performance.now() - start).toBeGreaterThan(200);
    rename(fleet.database, { from: 'durably_runs_hidden', to: 'durably_runs' });
    rename(fleet.database, { from: 'durably_hidden', to: 'durably_steps' });
    const after = await api.triggered({ jobName: 'work', input: { steps: 1 } });
    await eventually('a run again', async () => (await api.run(after)).status === 'completed');
    expect(fleet.seenViolations({ expected: ['claim'] })).toEqual([]);
  });
});

type Entry = ServiceProcess['entries'][number];

function isUncaught({ msg, runId, error }: Entry, expected: Pick<Entry, 'runId' | 'error'>): boolean {
  return (
    msg === 'uncaught exception in the code of a run' &&
    runId === expected.runId &&
    error?.startsWith(expected.error ?? '') === true
  );
}

test('an unhandled rejection in a job is reported, and does not end the service', async () => {
  await withFleet({}, async (fleet) => {
    const service = await fleet.start();
    const api = fleet.api(service);
    const jobs = ['careless', 'work', 'careless', 'work'];
    const ids = await Promise.all(
      jobs.map((jobName) => api.triggered({ jobName, input: { steps: 4, maxMs: 20 } })),
    );
    await eventually('all runs to end', () => countOpen(fleet.database) === 0);
    await eventually(
      'the rejections to be reported',
      () => service.entries.filter(({ msg }) => msg.startsWith('unhandled rejection')).length === 4,
    );
    const runs = await Promise.all(ids.map((id) => api.run(id)));
    expect(runs.map(({ status }) => status)).toEqual(jobs.map(() => 'completed'));
    expect(service.isAlive).toBe(true);
    const records = readRecords(fleet.database);
    expect([...fleet.seenViolations(), ...checkEnded(records), ...checkJournal(records)]).toEqual([]);
  });
});

test('an error that a job throws in a timer after its end is reported, and does not end the service', async () => {
  await withFleet({}, async (fleet) => {
    const service = await fleet.start();
    const api = fleet.api(service);
    const id = await api.triggered({ jobName: 'leaver', input: {} });
    await eventually('the run to end', async () => (await api.run(id)).status === 'completed');
    await eventually('what it left behind', () =>
      service.entries.some((entry) => isUncaught(entry, { runId: id, error: 'thrown after its end' })),
    );
    expect((await api.run(id)).status).toBe('completed');
  });
});

test('an error thrown in a callback or abort listener of a job is reported, and does not end the service', async () => {
  await withFleet({}, async (fleet) => {
    const service = await fleet.start();
    const api = fleet.api(service);
    const trigger = () => api.triggered({ jobName: 'reckless', input: {} });
    const [cancelled, drained] = [await trigger(), await trigger()];
    const other = await api.triggered({ jobName: 'work', input: { steps: 4, maxMs: 20 } });
    const escaped = (where: string, id: string) =>
      service.entries.some((entry) => isUncaught(entry, { runId: id, error: `thrown ${where}` }));
    await eventually('what escaped to be reported', () =>
      [cancelled, drained].every(
        (id) => escaped('in a timer', id) && escaped('in an immediate', id) && escaped('by an emitter', id),
      ),
    );
    expect((await api.command('cancel', cancelled)).status).toBe(200);
    await eventually('the derived listener', () => escaped('by a derived listener', cancelled));
    await eventually('the other run to end', async () => (await api.run(other)).status === 'completed');
    service.signal('SIGTERM');
    expect(await service.ended()).toEqual({ code: 0, signal: null });
    const guarded = service.workerErrors.filter(({ context }) => context === 'abort-listener');
    expect(guarded.map(({ runId }) => runId)).toEqual([cancelled, drained]);
    const statuses = Object.fromEntries(
      readRecords(fleet.database).runs.map(({ id, status }) => [id, status]),
    );
    expect(statuses).toEqual({ [cancelled]: 'cancelled', [drained]: 'pending', [other]: 'completed' });
  });
});

function rename(path: string, { from, to }: { from: string; to: string }): void {
  withDatabase(path, (database) => {
    // The triggers keep using the old name of the table.
    database.exec('pragma legacy_alter_table = on');
    database.exec(`alter table ${from} rename to ${to}`);
  });
}

function medianOf(numbers: readonly number[] = []): number {
  return [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}
