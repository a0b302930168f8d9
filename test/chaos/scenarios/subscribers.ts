import { setTimeout as pause } from 'node:timers/promises';
import { checkJournal } from '../checks/journal.ts';
import { checkSameBytes, checkStream } from '../checks/streams.ts';
import { eventually } from '../support/eventually.ts';
import { type Fleet, withFleet } from '../support/fleet.ts';
import type { Random } from '../support/random.ts';
import { journalByRun } from '../support/records.ts';
import type { StoredRecords } from '../support/stored-records.ts';
import { Subscriber } from '../support/subscriber.ts';
import type { Outcome } from './outcome.ts';

const PROCESSES = 3;
const SUBSCRIBERS_PER_RUN = 2;
const LISTS = 4;

export interface RestlessOptions {
  readonly random: Random;
  readonly runs: number;
  /** A database to use instead of a file of the test's own. */
  readonly stored?: StoredRecords | undefined;
}

/** Clients disconnect at random and continue at another process. */
export async function restlessSubscribers({ random, runs, stored }: RestlessOptions): Promise<Outcome> {
  const play = async (fleet: Fleet) => {
    await fleet.startMany(PROCESSES);
    const subscribe = (path: string, patience: number) =>
      new Subscriber({ fleet, random: random.fork(), path, patience });
    const lists = Array.from({ length: LISTS }, () => subscribe('/runs/subscribe', 20));
    await eventually('the lists to be followed', () => lists.every((list) => list.isConnected));
    const followers: { id: string; subscriber: Subscriber }[] = [];
    for (let i = 0; i < runs; i++) {
      const api = fleet.anyApi(random);
      const input = {
        steps: random.int(1, 10),
        maxMs: random.int(0, 40),
        logs: true,
        parallel: random.chance(0.3),
      };
      const id = (await api?.triggered({ jobName: 'work', input })) ?? '';
      for (let n = 0; n < SUBSCRIBERS_PER_RUN; n++) {
        followers.push({ id, subscriber: subscribe(`/subscribe?runId=${id}`, 5) });
      }
      await pause(random.int(0, 20));
    }
    await eventually('all runs to end', async () => (await fleet.stored.countOpen()) === 0, {
      everyMs: 50,
      withinMs: fleet.stored.patienceMs,
    });
    await Promise.all(followers.map(({ subscriber }) => subscriber.finish()));

    const records = await fleet.stored.read();
    const byRun = journalByRun(records.journal);
    const listed = records.journal.filter(({ type }) => type !== 'log:write');
    const last = listed.at(-1)?.sequence ?? 0;
    await eventually('the lists to be read', () => lists.every((list) => list.lastId >= last), {
      withinMs: fleet.stored.patienceMs,
    });
    await Promise.all(lists.map((list) => list.close()));
    const all = [...lists, ...followers.map(({ subscriber }) => subscriber)];
    return {
      violations: [
        ...fleet.seenViolations({ expected: ['lease'] }),
        ...checkJournal(records),
        ...followers.flatMap(({ id, subscriber }) =>
          checkStream(`stream of ${id}`, subscriber, byRun.get(id) ?? []),
        ),
        ...lists.flatMap((list, i) => checkStream(`list ${i}`, list, listed)),
        ...checkSameBytes(all),
      ],
      figures: {
        subscribers: all.length,
        'journal rows': records.journal.length,
        connections: all.reduce((sum, { connections }) => sum + connections, 0),
        'events seen': all.reduce((sum, { frames }) => sum + frames.length, 0),
      },
    };
  };
  return await withFleet({}, play, stored);
}
