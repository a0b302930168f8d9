import { setTimeout as pause } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { checkJournal } from './checks/journal.ts';
import { checkLedger } from './checks/ledger.ts';
import { eventually } from './support/eventually.ts';
import { type Fleet, withFleet } from './support/fleet.ts';
import { countOpen, readRecords } from './support/records.ts';

vi.setConfig({ testTimeout: 120_000 });

const LEASE_TIMES = {
  DURABLY_POLLING_INTERVAL_MS: 50,
  DURABLY_HEARTBEAT_INTERVAL_MS: 50,
  DURABLY_STALE_THRESHOLD_MS: 300,
};

test('a job that always kills its process fails after ten lost workers, and runs claimed with it complete', async () => {
  await withFleet(LEASE_TIMES, async (fleet) => {
    const keeper = keepRunning(fleet, 2);
    await eventually('a process to listen', () => fleet.live.length > 0);
    // No worker starts until all runs are stored, so that they are claimed together.
    const ids = await triggerTogether(fleet);
    await eventually('all runs to end', () => countOpen(fleet.database) === 0, {
      withinMs: 90_000,
      everyMs: 50,
    });
    keeper.stop();

    const records = readRecords(fleet.database);
    const byId = new Map(records.runs.map((run) => [run.id, run]));
    const poison = byId.get(ids.poison);
    expect(poison).toMatchObject({ status: 'failed', error: 'worker lost 10 times' });
    const others = ids.others.map((id) => byId.get(id));
    expect(others.map((run) => run?.error ?? run?.status)).toEqual(ids.others.map(() => 'completed'));
    expect([...checkJournal(records), ...checkLedger(records, fleet.ledger.rows())]).toEqual([]);
    // The job was started exactly ten times.
    const starts = records.journal.filter(
      ({ type, run_id }) => type === 'run:start' && run_id === ids.poison,
    );
    expect(starts).toHaveLength(10);
  });
});

async function triggerTogether(fleet: Fleet): Promise<{ poison: string; others: string[] }> {
  const [service] = fleet.live;
  if (!service) throw new Error('no process listens');
  const api = fleet.api(service);
  const innocent = { jobName: 'work', input: { steps: 3, maxMs: 40 } };
  const triggers = Array.from({ length: 12 }, () => api.triggered(innocent));
  const poison = api.triggered({ jobName: 'poison', input: {}, idempotencyKey: 'poison' });
  const others = await Promise.all(triggers);
  return { poison: await poison, others };
}

/** Starts a new process whenever one ends. */
function keepRunning(fleet: Fleet, count: number): { stop(): void } {
  let isStopped = false;
  const keep = async () => {
    while (!isStopped) {
      await fleet.spawn().exited;
      await pause(10);
    }
  };
  for (let i = 0; i < count; i++) void keep();
  return {
    stop: () => {
      isStopped = true;
    },
  };
}
