import { type Fleet, type Settings, withFleet } from '../support/fleet.ts';
import { RemoteDatabase } from '../support/remote-database.ts';
import { OUTAGES } from '../support/stored-records.ts';
import { CLOCKS_MS, type ExpectedReports, type FlowOptions, FlowStory, POLLING_MS } from './flow-story.ts';
import type { Outcome } from './outcome.ts';
import { FAULTS, goAway } from './remote.ts';

const PROCESSES = 3;
const SETTINGS: Settings = {
  DURABLY_POLLING_INTERVAL_MS: POLLING_MS,
  DURABLY_CONCURRENCY: 6,
  DURABLY_STALE_THRESHOLD_MS: 1_000,
};
/** Longer than an unanswered request and the outage. */
const REMOTE_SETTINGS: Settings = {
  ...SETTINGS,
  DURABLY_HEARTBEAT_INTERVAL_MS: 500,
  DURABLY_STALE_THRESHOLD_MS: 20_000,
};

const OUTAGE_REPORTS: ExpectedReports = {
  expected: [...OUTAGES, 'lease'],
  logsMayTell: true,
};

/**
 * Kills and stops processes at random moments while runs retry, sleep, wait for signals, and start other runs. Signals
 * are sent through any process, before a run starts too, and some twice. Some runs are cancelled, and some have a timeout.
 *
 * What must hold:
 *
 * - Each step's result is stored once, and comes from one call of its function. Each failed try is counted once.
 * - An accepted signal is stored once, with its payload, and is never lost. At most one step takes it.
 * - The signals of one name are taken in the order in which they came. A wait times out only if no signal of its name
 *   was there when its run was claimed.
 * - A step that starts a run has exactly one run for each of its tries, and the step's result is that run's output.
 * - No run below a cancelled run does anything more, and none begins. Below a run whose time was up none begins, and
 *   those that go on are cancelled soon.
 * - No run waits past its due time plus one `pollingInterval` once a worker claims: from then on no process claims
 *   younger runs before it twice. No claim takes a younger run once a signal, or the end of another run, has made an older
 *   one pending.
 * - Every run ends, and for a reason that its plan has.
 */
export async function flowUnderFire(options: FlowOptions): Promise<Outcome> {
  const play = async (fleet: Fleet) => {
    const story = new FlowStory(fleet, options);
    await Promise.all(CLOCKS_MS.map((CHAOS_DATE_SHIFT_MS) => fleet.start({ CHAOS_DATE_SHIFT_MS })));
    await Promise.all([story.play(), story.strike()]);
    // On a machine this busy, a worker may be too slow for its leases. A stopped one certainly is.
    return await story.judge({ expected: ['lease'], logsMayTell: false });
  };
  return await withFleet(SETTINGS, play, options.stored);
}

/**
 * The same with a remote database whose connections die, and that is down for a while. No process is killed. A server
 * that is named instead of the stand-in has none of these faults.
 */
export async function flowOverBadNetwork(options: Omit<FlowOptions, 'blows'>): Promise<Outcome> {
  const { stored } = options;
  return await withFleet(
    REMOTE_SETTINGS,
    async (fleet) =>
      stored === undefined ? await onStandIn(fleet, options) : await onServer(fleet, options),
    stored,
  );
}

async function onStandIn(fleet: Fleet, options: Omit<FlowOptions, 'blows'>): Promise<Outcome> {
  const database = await RemoteDatabase.start(fleet.database, options.random.fork());
  try {
    const start = () => fleet.start({ TURSO_DATABASE_URL: database.addressForProcess() });
    await Promise.all(Array.from({ length: PROCESSES }, start));
    database.letRequestsHang();
    const story = new FlowStory(fleet, { ...options, blows: 0 });
    await Promise.all([story.play(), goAway(fleet, database, () => story.triggered >= options.runs / 2)]);
    const { violations, figures } = await story.judge(OUTAGE_REPORTS);
    return { violations, figures: { ...figures, ...database.figures } };
  } finally {
    await database.stop();
  }
}

async function onServer(fleet: Fleet, options: Omit<FlowOptions, 'blows'>): Promise<Outcome> {
  await fleet.startMany(PROCESSES);
  const story = new FlowStory(fleet, { ...options, blows: 0 });
  await story.play();
  return { ...(await story.judge(OUTAGE_REPORTS)), skipped: FAULTS };
}
