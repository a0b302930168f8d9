import { setTimeout as pause } from 'node:timers/promises';
import Database from 'libsql';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { seeded } from './support/chaos.ts';
import { eventually } from './support/eventually.ts';
import { withFleet } from './support/fleet.ts';

vi.setConfig({ testTimeout: 180_000 });

const HOUR_MS = 3_600_000;
const SLOTS = 24;

const scheduledRun = z.object({ scheduled_for: z.number(), status: z.string() });

test('each slot of a schedule gets one run, though its processes are killed again and again', async () => {
  const random = seeded('schedules');
  await withFleet({ DURABLY_POLLING_INTERVAL_MS: 20 }, async (fleet) => {
    await fleet.startMany(2);
    const [first] = fleet.live;
    if (first === undefined) throw new Error('no process listens');
    const answer = await fetch(`${fleet.api(first).base}/schedule?id=often`, {
      method: 'PUT',
      body: JSON.stringify({ jobName: 'work', input: { steps: 1 }, every: '1h', missed: 'all' }),
    });
    expect(answer.status).toBe(200);

    const database = new Database(fleet.database);
    database.pragma('busy_timeout = 10000');
    // A little less than an interval, so that no two slots have the same time.
    const move = database.prepare(
      `update durably_schedules set next_at = next_at - ${HOUR_MS - 1}, anchor_at = anchor_at - ${HOUR_MS - 1}`,
    );
    const read = database.prepare(
      "select scheduled_for, status from durably_runs where schedule_id = 'often'",
    );
    const runs = () => z.array(scheduledRun).parse(read.all());
    for (let slots = 1; slots <= SLOTS; slots++) {
      const kills = slots % 3 === 0;
      if (kills) await eventually('two processes to listen', () => fleet.live.length === 2);
      move.run();
      await pause(random.int(0, 40));
      if (kills) {
        await random.pick(fleet.live).kill();
        fleet.spawn();
      }
      await eventually('the slot to be fired', () => runs().length >= slots);
    }
    await eventually('all runs to end', () => runs().every(({ status }) => status === 'completed'));
    const times = runs().map((run) => run.scheduled_for);
    database.close();
    expect(times).toHaveLength(SLOTS);
    expect(new Set(times).size).toBe(SLOTS);
    expect(fleet.all.length).toBeGreaterThanOrEqual(2 + Math.floor(SLOTS / 3));
    expect(fleet.seenViolations({ expected: ['lease', 'hand-back'] })).toEqual([]);
  });
});
