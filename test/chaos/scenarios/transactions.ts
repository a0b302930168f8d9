import { setTimeout as pause } from 'node:timers/promises';
import { checkBooks, readBooks } from '../checks/books.ts';
import { checkAccepted, checkEnded, checkJournal } from '../checks/journal.ts';
import { Caller } from '../support/caller.ts';
import { type Fleet, withFleet } from '../support/fleet.ts';
import type { Random } from '../support/random.ts';
import type { Outcome } from './outcome.ts';

const PROCESSES = 2;
const STEPS = 5;
/** The probability that a step kills its process. */
const DEADLY = 0.25;
/** About how long a commit takes, and what follows it, ms. */
const WITHIN_MS = 12;

export interface TransactionsOptions {
  readonly random: Random;
  /** Processes kill themselves around commits until so many are dead. */
  readonly kills: number;
}

/** Processes are killed around the commits of steps in transactions. */
export async function killAroundCommits({ random, kills }: TransactionsOptions): Promise<Outcome> {
  const settings = { DURABLY_CONCURRENCY: 4, DURABLY_STALE_THRESHOLD_MS: 1000 };
  return await withFleet(settings, async (fleet) => {
    await fleet.startMany(PROCESSES);
    const caller = new Caller(fleet, random.fork());
    const accepted = new Map<string, string>();
    let isOver = false;
    const revived = (async () => {
      while (!isOver) {
        while (fleet.all.filter(({ isAlive }) => isAlive).length < PROCESSES) fleet.spawn();
        await pause(25);
      }
    })();
    while (countKilled(fleet) < kills || (await fleet.stored.countOpen()) > 0) {
      if (countKilled(fleet) < kills && (await fleet.stored.countOpen()) < 2 * PROCESSES) {
        const idempotencyKey = `book ${accepted.size}`;
        const input = { steps: STEPS, deadly: DEADLY, withinMs: WITHIN_MS };
        accepted.set(idempotencyKey, await caller.trigger({ jobName: 'book', input, idempotencyKey }));
      }
      await pause(25);
    }
    isOver = true;
    await revived;
    const records = await fleet.stored.read();
    const books = readBooks(fleet.database);
    return {
      violations: [
        ...fleet.seenViolations({ expected: ['lease'] }),
        ...checkEnded(records, (error) => error.startsWith('worker lost')),
        ...checkAccepted(records, accepted),
        ...checkJournal(records),
        ...checkBooks(records, books),
      ],
      figures: {
        runs: records.runs.length,
        kills: countKilled(fleet),
        steps: books.length,
        takeovers: records.journal.filter(({ type }) => type === 'run:start').length - records.runs.length,
      },
    };
  });
}

function countKilled(fleet: Fleet): number {
  return fleet.all.filter(({ isAlive }) => !isAlive).length;
}
