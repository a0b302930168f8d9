import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { GivenDatabase } from '../../test/support/given-database.ts';
import type { Bench } from '../bench.ts';
import { type ContenderName, loadContender } from '../contenders/index.ts';
import { Child } from '../processes/child.ts';
import type { SqldRequest } from '../protocol.ts';

export interface ServerAddress {
  readonly url: string;
  readonly authToken?: string | undefined;
}

interface OnServer extends Omit<SqldRequest, 'file'> {
  readonly contender: ContenderName;
  /** So many runs must be completed in the end. */
  readonly runs: number;
}

/** Whether the requests to this address can be counted where they are sent. */
export const isCounted = ({ url }: ServerAddress): boolean => !/^wss?:/i.test(url);

/**
 * Runs the work on the database that was named on the command line, or on a stand-in for a libSQL server in a
 * process of its own. The database is empty before, and checked and emptied afterwards.
 */
export async function onServer<T>(
  bench: Bench,
  options: OnServer,
  work: (address: ServerAddress) => Promise<T>,
): Promise<T> {
  const { database } = bench;
  return await (database === undefined ? onStandIn(bench, options, work) : onGiven(database, options, work));
}

async function onStandIn<T>(
  bench: Bench,
  { contender, runs, ...behaviour }: OnServer,
  work: (address: ServerAddress) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(bench.folder, 'sqld-'));
  const server = new Child();
  try {
    const file = join(folder, 'remote.db');
    const result = await work({ url: await server.call('startSqld', { file, ...behaviour }) });
    await server.call('stopSqld');
    checkCompleted((await server.call('storedRuns', { contender, file })).completed, runs);
    return result;
  } finally {
    server.end();
    rmSync(folder, { recursive: true });
  }
}

async function onGiven<T>(
  database: GivenDatabase,
  { contender, runs }: OnServer,
  work: (address: ServerAddress) => Promise<T>,
): Promise<T> {
  try {
    const result = await work(database);
    const [row] = await database.select((await loadContender(contender)).completedRuns);
    checkCompleted(Number(Object.values(row ?? {})[0]), runs);
    return result;
  } finally {
    await database.clear();
  }
}

function checkCompleted(completed: number, runs: number): void {
  if (completed !== runs) throw new Error(`stored ${completed} completed runs, expected ${runs}`);
}
