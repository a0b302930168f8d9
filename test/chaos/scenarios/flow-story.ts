import { setTimeout as pause } from 'node:timers/promises';
import { checkChildren } from '../checks/children.ts';
import { checkAccepted, checkEnded, checkJournal } from '../checks/journal.ts';
import { checkLedger } from '../checks/ledger.ts';
import { checkSignals } from '../checks/signals.ts';
import { checkOrder, findLateness } from '../checks/waits.ts';
import { Caller } from '../support/caller.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { Postman } from '../support/postman.ts';
import type { Random } from '../support/random.ts';
import type { StoredRecords } from '../support/stored-records.ts';
import { planFlow, SIGNALS } from './flow-plan.ts';
import type { Outcome } from './outcome.ts';

const CALLERS = 6;
export const POLLING_MS = 100;
/** How far the clocks of processes are off, ms: only the database's clock counts. */
export const CLOCKS_MS = [0, 3_600_000, -3_600_000];

export interface FlowOptions {
  readonly random: Random;
  /** Runs without a parent. */
  readonly runs: number;
  /** Processes that are killed, or stopped for a while. */
  readonly blows: number;
  /** A database to use instead of a file of the test's own. */
  readonly stored?: StoredRecords | undefined;
}

export interface ExpectedReports {
  /** The contexts of worker errors that the faults may cause. */
  readonly expected: readonly string[];
  /** The log may name the causes of answers. */
  readonly logsMayTell: boolean;
}

/** Triggers runs, signals them and cancels some. What must hold stands in `flow.ts`. */
export class FlowStory {
  readonly #fleet: Fleet;
  readonly #options: FlowOptions;
  readonly #accepted = new Map<string, string>();
  readonly #postman: Postman;
  readonly #figures = { kills: 0, stops: 0, cancelled: 0, retried: 0 };
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
      await this.#allEnded();
      await this.#retrySome(new Caller(this.#fleet, random.fork()), random.fork());
      await this.#allEnded();
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
    const ledger = this.#fleet.ledger.rows();
    const { sent } = this.#postman;
    const count = (type: string) => records.journal.filter((row) => row.type === type).length;
    return {
      violations: [
        ...this.#postman.violations,
        ...this.#fleet.seenViolations(reports),
        ...checkEnded(records, isPlanned),
        ...checkAccepted(records, this.#accepted),
        ...checkJournal(records),
        ...checkLedger(records, ledger),
        ...checkSignals(records, sent),
        ...checkChildren(records),
        ...checkOrder(records, ledger, POLLING_MS),
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

  async #allEnded(): Promise<void> {
    await eventually('all runs to end', async () => (await this.#fleet.stored.countOpen()) === 0, {
      everyMs: 50,
      withinMs: 120_000,
    });
  }

  /** By hand, and no runs that others have started. A run whose time was up would fail again. */
  async #retrySome(caller: Caller, random: Random): Promise<void> {
    const { runs } = await this.#fleet.stored.read();
    const ended = runs.filter(({ depth, status, error }) => {
      return (
        depth === 0 && (status === 'cancelled' || (status === 'failed' && !error?.startsWith('timed out')))
      );
    });
    for (const { id } of ended) {
      if (!random.chance(0.5)) continue;
      const { status } = await caller.ask((api) => api.command('retry', id));
      if (status === 200) this.#figures.retried++;
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

/** Why the runs of a plan may fail, and those that have started one of them. */
function isPlanned(error: string): boolean {
  const ofJob = ['this step is flaky', 'this job is flaky', 'this job fails'].includes(error);
  return ofJob || /^timed out after \d+ms$/.test(error) || /^Run \w+ (failed: |was cancelled$)/.test(error);
}
