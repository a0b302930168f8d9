import { setTimeout as pause } from 'node:timers/promises';
import { checkAccepted, checkEnded, checkJournal } from '../checks/journal.ts';
import { checkKeys, checkOverlaps } from '../checks/keys.ts';
import { checkLedger } from '../checks/ledger.ts';
import { checkSameBytes, checkStream } from '../checks/streams.ts';
import { Caller } from '../support/caller.ts';
import { eventually } from '../support/eventually.ts';
import { type Fleet, withFleet } from '../support/fleet.ts';
import type { Random } from '../support/random.ts';
import { journalByRun, type Records } from '../support/records.ts';
import type { StoredRecords } from '../support/stored-records.ts';
import { Subscriber } from '../support/subscriber.ts';
import type { Outcome } from './outcome.ts';

const PROCESSES = 4;
const CALLERS = 12;
const KEYS = 10;

export interface KillOptions {
  readonly random: Random;
  readonly runs: number;
  readonly kills: number;
  /** A database to use instead of a file of the test's own. */
  readonly stored?: StoredRecords | undefined;
}

/** Kills processes at random moments while callers trigger and clients follow. */
export async function killAtRandom(options: KillOptions): Promise<Outcome> {
  const settings = { DURABLY_CONCURRENCY: 6, DURABLY_STALE_THRESHOLD_MS: 1000 };
  const play = async (fleet: Fleet) => {
    await fleet.startMany(PROCESSES);
    const story = new KillStory(fleet, options);
    await story.play();
    return await story.judge();
  };
  return await withFleet(settings, play, options.stored);
}

class KillStory {
  readonly #fleet: Fleet;
  readonly #options: KillOptions;
  readonly #accepted = new Map<string, string>();
  readonly #followed = new Map<string, Subscriber>();
  readonly #lists: Subscriber[] = [];
  readonly #inconsistent: string[] = [];
  readonly #callers: Caller[] = [];
  #triggered = 0;
  #kills = 0;

  constructor(fleet: Fleet, options: KillOptions) {
    this.#fleet = fleet;
    this.#options = options;
  }

  async play(): Promise<void> {
    const { random } = this.#options;
    for (let i = 0; i < 2; i++) this.#lists.push(this.#subscribe('/runs/subscribe', 60));
    await eventually('the lists to be followed', () => this.#lists.every((list) => list.isConnected));
    const calls = Array.from({ length: CALLERS }, () => this.#call(random.fork()));
    await Promise.all([...calls, this.#killOften(random.fork())]);
    await this.#settle(new Caller(this.#fleet, random.fork()));
    await Promise.all([...this.#followed.values()].map((subscriber) => subscriber.finish()));
    const last = Math.max(...(await this.#fleet.stored.read()).journal.map(({ sequence }) => sequence));
    const withinMs = this.#fleet.stored.patienceMs;
    for (const list of this.#lists) {
      await eventually('the lists to be read', () => list.lastId >= last, { withinMs });
    }
    for (const list of this.#lists) await list.close();
  }

  async judge(): Promise<Outcome> {
    const records = await this.#fleet.stored.read();
    const ledger = this.#fleet.ledger.rows();
    const { lostLeases } = this.#fleet;
    return {
      violations: [
        ...this.#inconsistent,
        // On a machine this busy, a worker may be too slow for its leases.
        ...this.#fleet.seenViolations({ expected: ['lease'] }),
        ...checkEnded(records),
        ...checkAccepted(records, this.#accepted),
        ...checkJournal(records),
        ...checkLedger(records, ledger),
        ...checkKeys(records),
        ...checkOverlaps(records, ledger, (run) => lostLeases.has(run)),
        ...this.#checkStreams(records),
      ],
      figures: {
        runs: records.runs.length,
        kills: this.#kills,
        'lost answers': this.#callers.reduce((sum, { retries }) => sum + retries, 0),
        takeovers: records.journal.filter((row) => row.type === 'run:start').length - countFirst(records),
        'effects without a result': countLost(records, ledger),
        'journal rows': records.journal.length,
        'stream connections': [...this.#followed.values(), ...this.#lists].reduce(
          (sum, { connections }) => sum + connections,
          0,
        ),
      },
    };
  }

  async #call(random: Random): Promise<void> {
    const caller = new Caller(this.#fleet, random.fork());
    this.#callers.push(caller);
    while (this.#triggered < this.#options.runs) {
      const number = this.#triggered++;
      const idempotencyKey = `call ${number}`;
      const key = random.chance(0.4) ? `key ${random.int(1, KEYS)}` : undefined;
      const input = {
        steps: random.int(1, 10),
        maxMs: random.int(0, 30),
        failing: random.chance(0.1) ? 0.1 : 0,
        parallel: random.chance(0.3),
        logs: random.chance(0.5),
        key,
      };
      const body = { jobName: 'work', input, idempotencyKey, ...(key && { concurrencyKey: key }) };
      // Some callers send a request twice at once.
      const asked = random.chance(0.2)
        ? [caller.trigger(body), caller.trigger(body)]
        : [caller.trigger(body)];
      const ids = new Set(await Promise.all(asked));
      const [id = ''] = ids;
      if (ids.size > 1) this.#inconsistent.push(`${idempotencyKey} was answered ${[...ids].join(' and ')}`);
      this.#accepted.set(idempotencyKey, id);
      if (random.chance(0.3)) this.#followed.set(id, this.#subscribe(`/subscribe?runId=${id}`, 12));
      else if (key === undefined && random.chance(0.1)) await caller.ask((api) => api.command('cancel', id));
      await pause(random.int(0, 40));
    }
  }

  async #killOften(random: Random): Promise<void> {
    while (this.#kills < this.#options.kills) {
      await pause(random.int(100, 900));
      const victim = random.pick(this.#fleet.all.filter(({ isAlive }) => isAlive));
      await victim.kill();
      this.#kills++;
      // The process may be killed again before it listens.
      this.#fleet.spawn();
    }
  }

  /** Retries failed runs until every run has ended. */
  async #settle(caller: Caller): Promise<void> {
    for (let round = 0; round < 2; round++) {
      await eventually('all runs to end', async () => (await this.#fleet.stored.countOpen()) === 0, {
        everyMs: 50,
        withinMs: this.#fleet.stored.patienceMs,
      });
      const failed = (await this.#fleet.stored.read()).runs.filter(({ status }) => status === 'failed');
      if (round === 0)
        await Promise.all(failed.map(({ id }) => caller.ask((api) => api.command('retry', id))));
    }
  }

  #subscribe(path: string, patience: number): Subscriber {
    return new Subscriber({ fleet: this.#fleet, random: this.#options.random.fork(), path, patience });
  }

  #checkStreams(records: Records): string[] {
    const byRun = journalByRun(records.journal);
    const listed = records.journal.filter(({ type }) => type !== 'log:write');
    return [
      ...[...this.#followed].flatMap(([id, subscriber]) =>
        checkStream(`stream of ${id}`, subscriber, byRun.get(id) ?? []),
      ),
      ...this.#lists.flatMap((list, i) => checkStream(`list ${i}`, list, listed)),
      ...checkSameBytes([...this.#followed.values(), ...this.#lists]),
    ];
  }
}

/** Counts first starts and starts after a retry, but not takeovers. */
function countFirst({ journal }: Records): number {
  const waiting = new Set<string>();
  let count = 0;
  for (const { type, run_id } of journal) {
    if (type === 'run:trigger' || type === 'run:retry') waiting.add(run_id);
    if (type === 'run:start' && waiting.delete(run_id)) count++;
  }
  return count;
}

function countLost({ journal }: Records, ledger: readonly { value?: string | undefined }[]): number {
  const stored = new Set(journal.map(({ data }) => data));
  return ledger.filter(({ value }) => value !== undefined && !stored.has(JSON.stringify(value))).length;
}
