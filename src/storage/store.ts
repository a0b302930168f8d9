import type { Kysely } from 'kysely';
import type { Store } from '../core/store.ts';
import { AppendLane } from './append.ts';
import { claim } from './claim.ts';
import { command } from './commands.ts';
import { listCompletedSteps, readStepOutputs } from './completed-steps.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { deletePortion, purgePortion } from './deletions.ts';
import { EnqueueLane } from './enqueue.ts';
import { journalHead, readJournal, readJournalData, readRunJournal } from './journal.ts';
import { handBack, renew } from './lease.ts';
import { listRuns } from './list-runs.ts';
import { migrate } from './migrate.ts';
import { getRun, listLogs, listSteps } from './queries.ts';
import type { Schema } from './schema.ts';

/** A {@link Store} over any Kysely SQLite dialect, and the Kysely instance under it. */
export function createStore(options: ConnectionOptions): {
  store: Store;
  db: Kysely<Schema>;
  /** Whether it is reached over a network. */
  isRemote: boolean;
} {
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
    appendsUnderWay: () => (connection.isRemote ? undefined : appendLane.underWay),
    claim: (request) => claim(connection, request),
    append: (append) => appendLane.submit(append),
    renew: (leases) => renew(connection, leases),
    handBack: (leases) => handBack(connection, leases),
    command: (name, runId) => command(connection, name, runId),
    getRun: (runId) => getRun(connection, runId),
    listRuns: (query) => listRuns(connection, query),
    listSteps: (runId) => listSteps(connection, runId),
    listLogs: (page) => listLogs(connection, page),
    listCompletedSteps: (runId) => listCompletedSteps(connection, runId),
    readStepOutputs: (page) => readStepOutputs(connection, page),
    journalHead: () => journalHead(connection),
    readJournal: (page) => readJournal(connection, page),
    readRunJournal: (page) => readRunJournal(connection, page),
    readJournalData: (sequences) => readJournalData(connection, sequences),
    deletePortion: () => deletePortion(connection),
    purgePortion: () => purgePortion(connection),
    ping: () => connection.ping(),
  };
  return { store, db: connection.db, isRemote: connection.isRemote };
}
