import { setTimeout as pause } from 'node:timers/promises';
import { checkChildren } from '../checks/children.ts';
import { checkAccepted, checkEnded, checkJournal } from '../checks/journal.ts';
import { checkLedger } from '../checks/ledger.ts';
import { checkSignals } from '../checks/signals.ts';
import { checkOrder, findLateness } from '../checks/waits.ts';
import { Caller } from '../support/caller.ts';
import { eventually } from '../support/eventually.ts';
import { type Fleet, type Settings, withFleet } from '../support/fleet.ts';
import { Postman } from '../support/postman.ts';
import type { Random } from '../support/random.ts';
import { RemoteDatabase } from '../support/remote-database.ts';
import { OUTAGES, type StoredRecords } from '../support/stored-records.ts';
import { planFlow, SIGNALS } from './flow-plan.ts';
import type { Outcome } from './outcome.ts';
import { FAULTS, goAway } from './remote.ts';

const PROCESSES = 3;
/** How far the clocks of processes are off, ms: only the database's clock counts. */
const CLOCKS_MS = [0, 3_600_000, -3_600_000];
const CALLERS = 6;
const POLLING_MS = 100;
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

interface ExpectedReports {
  /** The contexts of worker errors that the faults may cause. */
  readonly expected: readonly string[];
  /** The log may name the causes of answers. */
  readonly logsMayTell: boolean;
}

/** Chores fail, too, while the database is down. */
const OUTAGE_REPORTS: ExpectedReports = { expected: [...OUTAGES, 'lease', 'purge'], logsMayTell: true };

export interface FlowOptions {
  readonly random: Random;
  /** Runs without a parent. */
  readonly runs: number;
  /** Processes that are killed, or stopped for a while. */
  readonly blows: number;
  /** A database to use instead of a file of the test's own. */
  readonly stored?: StoredRecords | undefined;
}

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
 * - No run below a cancelled run does anything more, and none begins. The same goes for a run whose time was up, once
 *   the runs below it were cancelled.
 * - No claim takes a younger run while an older one has been due for longer than one `pollingInterval`, or was made
 *   pending by a signal or by the end of another run.
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

class FlowStory {
  readonly #fleet: Fleet;
  readonly #options: FlowOptions;
  readonly #accepted = new Map<string, string>();
  readonly #postman: Postman;
  readonly #figures = { kills: 0, stops: 0, cancelled: 0 };
  #isOver = false;
  triggered = 0;

  constructor(fleet: Fleet, options: FlowOptions) {
    this.#fleet = fleet;
    this.#options = options;
    this.#postman = new Postman(fleet, options.random.fork());
  }

  async play(): Promise<void> {
    const { random } = this.#options;
    const delivery = this.#deliver(new Caller(this.#fleet, random.fork()), random.fork());
    await Promise.all(Array.from({ length: CALLERS }, () => this.#call(random.fork())));
    try {
      await eventually('all runs to end', async () => (await this.#fleet.stored.countOpen()) === 0, {
        everyMs: 50,
        withinMs: 120_000,
      });
    } finally {
      this.#isOver = true;
      await delivery;
    }
  }

  /** Kills processes, which others replace, and stops some for a while. */
  async strike(): Promise<void> {
    const random = this.#options.random.fork();
    const { blows } = this.#options;
    while (this.#figures.kills + this.#figures.stops < blows && !this.#isOver) {
      await pause(random.int(200, 900));
      const victim = random.pick(this.#fleet.all.filter(({ isAlive }) => isAlive));
      if (random.chance(0.35)) {
        victim.signal('SIGSTOP');
        // Some are stopped for longer than their leases last.
        await pause(random.int(100, 1_800));
        victim.signal('SIGCONT');
        this.#figures.stops++;
      } else {
        await victim.kill();
        this.#figures.kills++;
        // The process may be killed again before it listens.
        this.#fleet.spawn({ CHAOS_DATE_SHIFT_MS: random.pick(CLOCKS_MS) });
      }
    }
  }

  async judge(reports: ExpectedReports): Promise<Outcome> {
    const records = await this.#fleet.stored.read();
    const { sent } = this.#postman;
    const count = (type: string) => records.journal.filter((row) => row.type === type).length;
    return {
      violations: [
        ...this.#postman.violations,
        ...this.#fleet.seenViolations(reports),
        ...checkEnded(records, isPlanned),
        ...checkAccepted(records, this.#accepted),
        ...checkJournal(records),
        ...checkLedger(records, this.#fleet.ledger.rows()),
        ...checkSignals(records, sent),
        ...checkChildren(records),
        ...checkOrder(records, POLLING_MS),
      ],
      figures: {
        runs: records.runs.length,
        'below another': records.runs.filter(({ depth }) => depth > 0).length,
        ...this.#figures,
        waits: count('run:wait'),
        'tries repeated': count('step:retry') + count('run:retry'),
        signals: records.signals.length,
        'signals taken': records.signals.filter(({ is_taken }) => is_taken === 1).length,
        'timed out': records.runs.filter(({ error }) => error?.startsWith('timed out')).length,
        'latest wake-up ms': findLateness(records),
        'journal rows': records.journal.length,
      },
    };
  }

  async #call(random: Random): Promise<void> {
    const caller = new Caller(this.#fleet, random.fork());
    while (this.triggered < this.#options.runs) {
      const idempotencyKey = `flow ${this.triggered++}`;
      const body = {
        jobName: 'flow',
        input: planFlow(random),
        idempotencyKey,
        delay: random.chance(0.2) ? random.int(1, 1_500) : undefined,
        timeout: random.chance(0.1) ? random.int(300, 3_000) : undefined,
      };
      const id = await caller.trigger(body);
      this.#accepted.set(idempotencyKey, id);
      // Before the run waits for it, if it ever does.
      if (random.chance(0.4)) await this.#postman.send(id, random.pick(SIGNALS));
      if (random.chance(0.25)) void this.#cancelLater(id, random.fork());
      await pause(random.int(0, 300));
    }
  }

  /** Answers the runs that wait for signals, and cancels some of the runs that others have started. */
  async #deliver(caller: Caller, random: Random): Promise<void> {
    while (!this.#isOver) {
      await pause(random.int(10, 150));
      const waiting = await this.#postman.listWaiting(caller);
      for (const { id, parentRunId, waits } of waiting) {
        if (this.#isOver) return;
        if (parentRunId !== null && random.chance(0.01)) await this.#cancel(id, random);
        for (const { signal } of waits) {
          if (signal !== undefined && random.chance(0.4)) await this.#postman.send(id, signal);
        }
      }
    }
  }

  async #cancelLater(id: string, random: Random): Promise<void> {
    await pause(random.int(0, 2_500));
    await this.#cancel(id, random);
  }

  async #cancel(id: string, random: Random): Promise<void> {
    const caller = new Caller(this.#fleet, random.fork());
    const { status } = await caller.ask((api) => api.command('cancel', id));
    if (status === 200) this.#figures.cancelled++;
  }
}

/** Why the runs of a plan may fail. */
function isPlanned(error: string): boolean {
  return (
    ['this step is flaky', 'this job is flaky', 'this job fails'].includes(error) ||
    /^timed out after \d+ms$/.test(error)
  );
}
