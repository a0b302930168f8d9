import type { Kysely } from 'kysely';
import type { Store } from '../core/store.ts';
import { AppendLane } from './append.ts';
import { claim } from './claim.ts';
import { command } from './commands.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { EnqueueLane } from './enqueue.ts';
import { journalHead, readJournal, readRunJournal } from './journal.ts';
import { handBack, renew } from './lease.ts';
import { migrate } from './migrate.ts';
import { purgeDeletions } from './purge.ts';
import { getCompletedSteps, getLogs, getRun, getRuns, getSteps } from './queries.ts';
import type { Schema } from './schema.ts';

/** A {@link Store} over any Kysely SQLite dialect, and the Kysely instance under it. */
export function createStore(options: ConnectionOptions): { store: Store; db: Kysely<Schema> } {
  const connection = new Connection(options);
  const enqueueLane = new EnqueueLane(connection);
  const appendLane = new AppendLane(connection);
  const store: Store = {
    async migrate() {
      await connection.checkReads();
      await migrate({
        db: connection.db,
        clock: options.clock,
        batch: connection.batch,
        onWriteChecked: (rows) => connection.noteWritten(rows),
      });
      await connection.tune();
      await connection.checkWrites();
    },
    enqueue: (runs) => enqueueLane.submit(runs),
    claim: (request) => claim(connection, request),
    append: (append) => appendLane.submit(append),
    renew: (leases) => renew(connection, leases),
    handBack: (leases) => handBack(connection, leases),
    command: (name, runId) => command(connection, name, runId),
    getRun: (runId) => getRun(connection, runId),
    getRuns: (query) => getRuns(connection, query),
    getSteps: (runId) => getSteps(connection, runId),
    getLogs: (page) => getLogs(connection, page),
    getCompletedSteps: (runId) => getCompletedSteps(connection, runId),
    journalHead: () => journalHead(connection),
    readJournal: (page) => readJournal(connection, page),
    readRunJournal: (page) => readRunJournal(connection, page),
    purge: () => purgeDeletions(connection),
    ping: () => connection.ping(),
  };
  return { store, db: connection.db };
}
