import { setTimeout as pause } from 'node:timers/promises';
import { checkAccepted, checkEnded, checkJournal } from '../checks/journal.ts';
import { checkKeys, checkOverlaps } from '../checks/keys.ts';
import { checkLedger } from '../checks/ledger.ts';
import { checkStream } from '../checks/streams.ts';
import { Caller } from '../support/caller.ts';
import { eventually } from '../support/eventually.ts';
import { type Fleet, withFleet } from '../support/fleet.ts';
import type { Random } from '../support/random.ts';
import { journalByRun } from '../support/records.ts';
import { RemoteDatabase } from '../support/remote-database.ts';
import { OUTAGES, type StoredRecords } from '../support/stored-records.ts';
import { Subscriber } from '../support/subscriber.ts';
import type { Outcome } from './outcome.ts';

const PROCESSES = 2;
const CALLERS = 10;
const KEYS = 20;
/** Longer than an unanswered request and the outage, so that no run is lost because of them. */
export const REMOTE_SETTINGS = {
  DURABLY_CONCURRENCY: 10,
  DURABLY_HEARTBEAT_INTERVAL_MS: 500,
  DURABLY_STALE_THRESHOLD_MS: 20_000,
};
/** What only a stand-in for a server can be made to do. */
export const FAULTS = [
  'connections that die',
  'errors of a proxy',
  'answers that never arrive',
  'an outage of some seconds',
] as const;

export interface RemoteOptions {
  readonly random: Random;
  readonly runs: number;
  /** A database on a server to use instead of a stand-in. It has none of the {@link FAULTS}. */
  readonly stored?: StoredRecords | undefined;
}

/** Runs services on a remote database. A tenth of its connections die, and once it is down for seconds. */
export async function badNetwork(options: RemoteOptions): Promise<Outcome> {
  return options.stored === undefined ? await onStandIn(options) : await onServer(options);
}

async function onStandIn({ random, runs }: RemoteOptions): Promise<Outcome> {
  return await withFleet(REMOTE_SETTINGS, async (fleet) => {
    const database = await RemoteDatabase.start(fleet.database, random.fork());
    try {
      const start = () => fleet.start({ TURSO_DATABASE_URL: database.addressForProcess() });
      await Promise.all(Array.from({ length: PROCESSES }, start));
      database.letRequestsHang();
      const story = new RemoteStory(fleet, { random, runs });
      await Promise.all([story.play(), goAway(fleet, database, () => story.triggered >= runs / 2)]);
      const { violations, figures } = await story.judge();
      return { violations, figures: { ...figures, ...database.figures } };
    } finally {
      await database.stop();
    }
  });
}

async function onServer({ random, runs, stored }: RemoteOptions): Promise<Outcome> {
  const play = async (fleet: Fleet) => {
    await fleet.startMany(PROCESSES);
    const story = new RemoteStory(fleet, { random, runs });
    await story.play();
    return { ...(await story.judge()), skipped: FAULTS };
  };
  return await withFleet(REMOTE_SETTINGS, play, stored);
}

/** Takes the database down until every process reports it. The processes recover by themselves. */
export async function goAway(fleet: Fleet, database: RemoteDatabase, isTime: () => boolean): Promise<void> {
  await eventually('half of it', isTime);
  const statuses = async () => {
    const answers = fleet.live.map(async (service) => (await fleet.api(service).ready()).status);
    return await Promise.all(answers);
  };
  await database.outage(async () => {
    await eventually('503', async () => (await statuses()).every((status) => status === 503));
  });
  await eventually('200', async () => (await statuses()).every((status) => status === 200));
}

/** Callers that trigger runs, some of which are followed. */
export class RemoteStory {
  readonly #fleet: Fleet;
  readonly #options: Pick<RemoteOptions, 'random' | 'runs'>;
  readonly #accepted = new Map<string, string>();
  readonly #followed = new Map<string, Subscriber>();
  readonly #callers: Caller[] = [];
  triggered = 0;

  constructor(fleet: Fleet, options: Pick<RemoteOptions, 'random' | 'runs'>) {
    this.#fleet = fleet;
    this.#options = options;
  }

  async play(): Promise<void> {
    await this.call();
    await this.settle();
  }

  /** Resolves when all runs are triggered. */
  async call(): Promise<void> {
    const { random } = this.#options;
    await Promise.all(Array.from({ length: CALLERS }, () => this.#call(random.fork())));
  }

  /** Resolves when all runs and streams have ended. */
  async settle(): Promise<void> {
    await eventually('all runs to end', async () => (await this.#fleet.stored.countOpen()) === 0, {
      everyMs: 50,
      withinMs: 120_000,
    });
    await Promise.all([...this.#followed.values()].map((subscriber) => subscriber.finish()));
  }

  /** @param expected the contexts of worker errors that are no violation, besides those of outages */
  async judge(expected: readonly string[] = []): Promise<Outcome> {
    const records = await this.#fleet.stored.read();
    const ledger = this.#fleet.ledger.rows();
    const { lostLeases, workerErrors } = this.#fleet;
    const byRun = journalByRun(records.journal);
    // A hand-back writes no event, so the journal can't show what happened to the run's key.
    const handedBack = workerErrors.some(
      ({ context, error }) => context === 'execute' || error.includes('did not renew it in time'),
    );
    return {
      violations: [
        ...this.#fleet.seenViolations({ expected: [...OUTAGES, 'lease', ...expected], logsMayTell: true }),
        ...checkEnded(records),
        ...checkAccepted(records, this.#accepted),
        ...checkJournal(records),
        ...checkLedger(records, ledger),
        ...(handedBack ? [] : checkKeys(records)),
        ...checkOverlaps(records, ledger, (run) => lostLeases.has(run)),
        ...[...this.#followed].flatMap(([id, subscriber]) =>
          checkStream(`stream of ${id}`, subscriber, byRun.get(id) ?? []),
        ),
      ],
      figures: {
        runs: records.runs.length,
        'answers 503': this.#callers.reduce((sum, { retries }) => sum + retries, 0),
        takeovers: records.runs.reduce((sum, { attempt }) => sum + attempt - 1, 0),
        'journal rows': records.journal.length,
      },
    };
  }

  async #call(random: Random): Promise<void> {
    const caller = new Caller(this.#fleet, random.fork());
    this.#callers.push(caller);
    while (this.triggered < this.#options.runs) {
      const idempotencyKey = `call ${this.triggered++}`;
      const key = random.chance(0.2) ? `key ${random.int(1, KEYS)}` : undefined;
      const input = {
        steps: random.int(1, 6),
        maxMs: random.int(0, 10),
        parallel: random.chance(0.3),
        logs: random.chance(0.5),
        key,
      };
      const body = { jobName: 'work', input, idempotencyKey, ...(key && { concurrencyKey: key }) };
      const id = await caller.trigger(body);
      this.#accepted.set(idempotencyKey, id);
      if (random.chance(0.1)) {
        const path = `/subscribe?runId=${id}`;
        const options = { fleet: this.#fleet, random: random.fork(), path, patience: 20 };
        this.#followed.set(id, new Subscriber(options));
      }
      await pause(random.int(0, 20));
    }
  }
}
