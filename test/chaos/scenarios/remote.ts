import { setTimeout as pause } from 'node:timers/promises';
import { Caller } from '../support/caller.ts';
import { checkAccepted, checkEnded, checkJournal } from '../support/check-journal.ts';
import { checkKeys, checkOverlaps } from '../support/check-keys.ts';
import { checkLedger } from '../support/check-ledger.ts';
import { checkStream } from '../support/check-streams.ts';
import { eventually } from '../support/eventually.ts';
import { type Fleet, withFleet } from '../support/fleet.ts';
import type { Random } from '../support/random.ts';
import { countOpen, journalByRun, readRecords } from '../support/records.ts';
import { RemoteDatabase } from '../support/remote-database.ts';
import { Subscriber } from '../support/subscriber.ts';
import type { Outcome } from './outcome.ts';

const PROCESSES = 2;
const CALLERS = 10;
const KEYS = 20;
/** Longer than an unanswered request and the outage, so that no run is lost because of them. */
const SETTINGS = {
  DURABLY_CONCURRENCY: 10,
  DURABLY_HEARTBEAT_INTERVAL_MS: 500,
  DURABLY_STALE_THRESHOLD_MS: 20_000,
};
/** Reports of workers when an answer was lost for longer than it is asked for. */
const OUTAGES = ['append', 'claim', 'execute', 'feed', 'hand-back', 'heartbeat', 'telemetry'];

export interface RemoteOptions {
  readonly random: Random;
  readonly runs: number;
}

/** Runs services on a remote database. A tenth of its connections die, and once it is down for seconds. */
export async function badNetwork({ random, runs }: RemoteOptions): Promise<Outcome> {
  return await withFleet(SETTINGS, async (fleet) => {
    const database = await RemoteDatabase.start(fleet.database, random.fork());
    try {
      const url = { TURSO_DATABASE_URL: database.url };
      await fleet.startMany(PROCESSES, url);
      const story = new RemoteStory(fleet, database, { random, runs });
      await story.play();
      return story.judge();
    } finally {
      await database.stop();
    }
  });
}

class RemoteStory {
  readonly #fleet: Fleet;
  readonly #database: RemoteDatabase;
  readonly #options: RemoteOptions;
  readonly #accepted = new Map<string, string>();
  readonly #followed = new Map<string, Subscriber>();
  readonly #callers: Caller[] = [];
  #triggered = 0;

  constructor(fleet: Fleet, database: RemoteDatabase, options: RemoteOptions) {
    this.#fleet = fleet;
    this.#database = database;
    this.#options = options;
  }

  async play(): Promise<void> {
    const { random } = this.#options;
    const calls = Array.from({ length: CALLERS }, () => this.#call(random.fork()));
    await Promise.all([...calls, this.#goAway()]);
    await eventually('all runs to end', () => countOpen(this.#fleet.database) === 0, {
      everyMs: 50,
      withinMs: 120_000,
    });
    await Promise.all([...this.#followed.values()].map((subscriber) => subscriber.finish()));
  }

  judge(): Outcome {
    const records = readRecords(this.#fleet.database);
    const ledger = this.#fleet.ledger.rows();
    const { lostLeases, workerErrors } = this.#fleet;
    const byRun = journalByRun(records.journal);
    // A hand-back writes no event, so the journal can't show what happened to the run's key.
    const handedBack = workerErrors.some(
      ({ context, error }) => context === 'execute' || error.includes('did not renew it in time'),
    );
    const { met } = this.#database;
    return {
      violations: [
        ...this.#fleet.seenViolations({ expected: [...OUTAGES, 'lease'], logsMayTell: true }),
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
        requests: this.#database.requests,
        'connections died': (met.get('drop') ?? 0) + (met.get('half') ?? 0),
        'refused by the way': met.get('status') ?? 0,
        'never answered': met.get('hang') ?? 0,
        'answers 503': this.#callers.reduce((sum, { retries }) => sum + retries, 0),
        takeovers: records.runs.reduce((sum, { attempt }) => sum + attempt - 1, 0),
        'journal rows': records.journal.length,
      },
    };
  }

  async #call(random: Random): Promise<void> {
    const caller = new Caller(this.#fleet, random.fork());
    this.#callers.push(caller);
    while (this.#triggered < this.#options.runs) {
      const idempotencyKey = `call ${this.#triggered++}`;
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

  /** Takes the database down until every process reports it. The processes recover by themselves. */
  async #goAway(): Promise<void> {
    await eventually('half of it', () => this.#triggered >= this.#options.runs / 2);
    const statuses = async () => {
      const answers = this.#fleet.live.map(
        async (service) => (await this.#fleet.api(service).ready()).status,
      );
      return await Promise.all(answers);
    };
    await this.#database.outage(async () => {
      await eventually('503', async () => (await statuses()).every((status) => status === 503));
    });
    await eventually('200', async () => (await statuses()).every((status) => status === 200));
  }
}
