import { setTimeout as pause } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { checkJournal } from './checks/journal.ts';
import { checkLedger } from './checks/ledger.ts';
import { isWriteLockFree } from './machine/lock.ts';
import { eventually } from './support/eventually.ts';
import { type Fleet, withFleet } from './support/fleet.ts';
import { readRecords } from './support/records.ts';
import type { ServiceProcess } from './support/service-process.ts';

vi.setConfig({ testTimeout: 120_000 });

const STALE_MS = 500;
const LEASE_TIMES = {
  DURABLY_POLLING_INTERVAL_MS: 50,
  DURABLY_HEARTBEAT_INTERVAL_MS: 100,
  DURABLY_STALE_THRESHOLD_MS: STALE_MS,
};
/** A worker with long intervals, so that it notices a lost run only when a write is refused. */
const UNAWARE = { DURABLY_HEARTBEAT_INTERVAL_MS: 60_000, DURABLY_STALE_THRESHOLD_MS: 120_000 };
const RUNS = 6;

/** Stops a process, but not inside a write, which would block all other writers. */
async function putToSleep(fleet: Fleet, sleeper: ServiceProcess): Promise<void> {
  for (;;) {
    sleeper.signal('SIGSTOP');
    await sleeper.stopped();
    if (isWriteLockFree(fleet.database)) return;
    sleeper.signal('SIGCONT');
    await pause(1);
  }
}

test('a process that was stopped for longer than the threshold loses its runs, and notices when it continues', async () => {
  await withFleet(LEASE_TIMES, async (fleet) => {
    const { sleeper, ids } = await standAtTheGate(fleet);
    await putToSleep(fleet, sleeper);
    const heir = await fleet.start();
    await standingIn(fleet, heir, ids);

    // Longer than the threshold: the other worker could not have taken the runs before.
    sleeper.signal('SIGCONT');
    await eventually(
      'the signals of the lost runs to be aborted',
      () => marksOf(fleet, sleeper, 'aborted').length === RUNS,
    );
    fleet.openGate(sleeper);
    await eventually(
      'the lost runs to be refused',
      () => marksOf(fleet, sleeper, 'last refused').length === RUNS,
    );
    for (const mark of ['aborted', 'gate refused', 'last refused']) {
      expect(marksOf(fleet, sleeper, mark).map(({ detail }) => detail)).toEqual(ids.map(() => 'LEASE_LOST'));
    }
    await eventually('the loss to be reported', () => ids.every((id) => fleet.lostLeases.has(id)));

    fleet.openGate(heir);
    await expectHeirsResults(fleet, heir, ids);
    expect(fleet.seenViolations({ expected: ['lease'] })).toEqual([]);
  });
});

test('writes of a process that lost its runs are refused, even if it does not know yet', async () => {
  await withFleet(LEASE_TIMES, async (fleet) => {
    const { sleeper, ids } = await standAtTheGate(fleet, UNAWARE);
    await putToSleep(fleet, sleeper);
    const heir = await fleet.start();
    await standingIn(fleet, heir, ids);

    // The steps end with results before the process hears of the takeover.
    fleet.openGate(sleeper);
    sleeper.signal('SIGCONT');
    await eventually(
      'the late results to be refused',
      () => marksOf(fleet, sleeper, 'gate refused').length === RUNS,
    );
    expect(marksOf(fleet, sleeper, 'through')).toHaveLength(RUNS);
    expect(marksOf(fleet, sleeper, 'gate refused').map(({ detail }) => detail)).toEqual(
      ids.map(() => 'LEASE_LOST'),
    );
    await eventually('the loss to be reported', () => ids.every((id) => fleet.lostLeases.has(id)));

    fleet.openGate(heir);
    await expectHeirsResults(fleet, heir, ids);
    expect(fleet.seenViolations({ expected: ['lease'] })).toEqual([]);
  });
});

test('a process that was stopped for less than the threshold keeps its runs', async () => {
  await withFleet({ ...LEASE_TIMES, DURABLY_STALE_THRESHOLD_MS: 30_000 }, async (fleet) => {
    const { sleeper, ids } = await standAtTheGate(fleet);
    const other = await fleet.start();
    await putToSleep(fleet, sleeper);
    await pause(300);
    sleeper.signal('SIGCONT');
    fleet.openGate(sleeper);
    const runs = await eventually('the runs to complete', () => completed(fleet, ids));
    expect(runs.map(({ attempt }) => attempt)).toEqual(ids.map(() => 1));
    expect(marksOf(fleet, other, 'standing')).toEqual([]);
    expect(fleet.seenViolations()).toEqual([]);
  });
});

/** A process whose runs all wait in their second step, with the first one stored. */
async function standAtTheGate(
  fleet: Fleet,
  settings = {},
): Promise<{ sleeper: ServiceProcess; ids: string[] }> {
  const sleeper = await fleet.start(settings);
  const api = fleet.api(sleeper);
  const ids = await Promise.all(
    Array.from({ length: RUNS }, () => api.triggered({ jobName: 'gate', input: {} })),
  );
  await standingIn(fleet, sleeper, ids);
  return { sleeper, ids };
}

async function standingIn(fleet: Fleet, service: ServiceProcess, ids: readonly string[]): Promise<void> {
  await eventually(`${service.name} to run all`, () => {
    const standing = new Set(marksOf(fleet, service, 'standing').map(({ run }) => run));
    return ids.every((id) => standing.has(id));
  });
}

function marksOf(fleet: Fleet, { pid }: ServiceProcess, mark: string) {
  return fleet.ledger.marks(mark).filter((row) => row.pid === pid);
}

function completed(fleet: Fleet, ids: readonly string[]) {
  const { runs } = readRecords(fleet.database);
  const ours = runs.filter(({ id, status }) => ids.includes(id) && status === 'completed');
  return ours.length === ids.length && ours;
}

async function expectHeirsResults(fleet: Fleet, heir: ServiceProcess, ids: readonly string[]): Promise<void> {
  const runs = await eventually('the heir to complete all', () => completed(fleet, ids));
  expect(runs.map(({ attempt }) => attempt)).toEqual(ids.map(() => 2));
  expect(runs.map(({ output }) => JSON.parse(output ?? '').pid)).toEqual(ids.map(() => heir.pid));
  const records = readRecords(fleet.database);
  const ledger = fleet.ledger.rows();
  // The first step's result was stored in attempt 1, and the new owner did not run that step.
  expect(ledger.filter(({ step, kind }) => kind === 'effect' && step === 'first')).toHaveLength(RUNS);
  const results = records.journal.filter(
    ({ type, step_name }) => type === 'step:complete' && step_name === 'gate',
  );
  const heirs = ledger
    .filter(({ pid, step }) => pid === heir.pid && step === 'gate')
    .map(({ value }) => JSON.stringify(value));
  expect(results.map(({ data }) => data).sort()).toEqual(heirs.sort());
  // The stopped process wrote no log line after it lost the run. `checkJournal` knows the attempts.
  expect([...checkJournal(records), ...checkLedger(records, ledger)]).toEqual([]);
}
