import type { Kysely } from 'kysely';
import type { Store } from '../../core/store.ts';
import { Connection, type ConnectionOptions } from './connection/connection.ts';
import { migrate } from './migrations/migrate.ts';
import { OptionalSchema } from './migrations/optional-schema.ts';
import type { Schema } from './schema.ts';
import { appends, startsInLine } from './statements/append.ts';
import { cancelBelow } from './statements/cancel-below.ts';
import { claim } from './statements/claims/claim.ts';
import { listKnown } from './statements/claims/known-of-claim.ts';
import { handBacks, renewals } from './statements/claims/lease.ts';
import { forgetThrottles } from './statements/claims/throttles.ts';
import { wakeDue } from './statements/claims/wake.ts';
import { command } from './statements/commands.ts';
import { deletePortion, purgePortion } from './statements/deletions.ts';
import { journalHead, readJournal, readJournalData, readRunJournal } from './statements/journal.ts';
import { findRuns, listRuns } from './statements/list-runs.ts';
import { commandAll } from './statements/managing/bulk.ts';
import { countRuns } from './statements/managing/counts.ts';
import { listPausedJobs, setPaused } from './statements/managing/paused-jobs.ts';
import { hasOldRuns, purgeDeliveries, purgeRuns } from './statements/managing/purge.ts';
import { reschedule } from './statements/managing/reschedule.ts';
import { getRun, listLogs, listSteps } from './statements/queries.ts';
import { fireSlots } from './statements/schedules/fire-slots.ts';
import {
  deleteSchedule,
  fireSchedule,
  pauseSchedule,
  putSchedule,
  resumeSchedule,
} from './statements/schedules/schedule-commands.ts';
import { getSchedule, listJobSchedules, listSchedules } from './statements/schedules/schedule-reads.ts';
import { listKeysAbove, listSignals, readSignal, signal } from './statements/signals.ts';
import { foldStats } from './statements/stats/fold-stats.ts';
import { listLines } from './statements/stats/lines.ts';
import { readOverview } from './statements/stats/overview.ts';
import { readStats } from './statements/stats/read-stats.ts';
import { forgetWorker, listWorkers, noteWorker } from './statements/stats/workers.ts';
import { listKnownSteps, readStepOutputs } from './statements/step-results.ts';
import { settlements } from './statements/transactions/settle.ts';
import { transact } from './statements/transactions/transact.ts';
import { enqueue } from './statements/triggering/enqueue.ts';
import { enqueueIn } from './statements/triggering/enqueue-in.ts';
import { fork } from './statements/triggering/fork.ts';

/** A {@link Store} over a Kysely SQLite dialect, and the Kysely instance that it uses. */
export function createStore(options: ConnectionOptions): {
  store: Store;
  db: Kysely<Schema>;
  /** Whether it is reached over a network. */
  isRemote: boolean;
} {
  const connection = new Connection(options);
  const { lane } = connection;
  const schema = new OptionalSchema(lane);
  const store: Store = {
    async migrate() {
      await connection.checkReads();
      const { hasLimits, hasWebhooks } = await migrate({
        db: connection.db,
        clock: options.clock,
        batch: connection.isRemote ? connection.batch : undefined,
        onWriteChecked: (rows) => connection.noteWritten(rows),
      });
      if (hasLimits) schema.noteLimits();
      if (hasWebhooks) schema.noteWebhooks();
      await connection.tune();
      await connection.checkWrites();
    },
    enqueue: (runs) => enqueue(connection, schema, runs),
    enqueueIn: (transaction, run, options) =>
      enqueueIn({ db: connection.db, schema }, transaction, run, options),
    claim: (decide, options) => claim(connection, schema, decide, options),
    async append(append) {
      if (startsInLine(append)) await schema.addLimits();
      return await lane.submit(appends, append);
    },
    transact: (begin, work) => transact(connection, begin, work),
    settleAppend: (append) => lane.submit(settlements, append),
    wakeDue: (about) => wakeDue(connection, about),
    renew: (leases) => lane.submit(renewals, leases),
    handBack: (leases) => lane.submit(handBacks, leases),
    command: (name, runId, call) => command(connection, { name, runId }, call),
    findRuns: (query, call) => findRuns(connection, query, call),
    commandAll: (given, call) => commandAll(connection, given, call),
    reschedule: (which) => reschedule(connection, which),
    countRuns: (call) => countRuns(connection, call),
    purgeRuns: (which, call) => purgeRuns(connection, which, call),
    hasOldRuns: (ages, call) => hasOldRuns(connection, ages, call),
    cancelBelow: (runId, call) => cancelBelow(connection, runId, call),
    fork: (given, call) => fork(connection, schema, given, call),
    signal: (given) => signal(connection, given),
    listSignals: (runId) => listSignals(connection, runId),
    readSignal: (seq) => readSignal(connection, seq),
    listKeysAbove: (runId) => listKeysAbove(connection, runId),
    getRun: (runId, options) => getRun(connection, runId, options),
    listRuns: (query, options) => listRuns(connection, query, options),
    listSteps: (runId) => listSteps(connection, runId),
    listLogs: (page) => listLogs(connection, page),
    listKnownSteps: (runId) => listKnownSteps(connection, runId),
    listKnown: (runIds) => listKnown(connection, runIds),
    readStepOutputs: (page) => readStepOutputs(connection, page),
    journalHead: (options) => journalHead(connection, options),
    readJournal: (page) => readJournal(connection, page),
    readRunJournal: (page) => readRunJournal(connection, page),
    readJournalData: (sequences) => readJournalData(connection, sequences),
    deletePortion: (call) => deletePortion(connection, call),
    purgePortion: () => purgePortion(connection),
    forgetThrottles: () => forgetThrottles(connection, schema),
    setPaused: (jobName, isPaused) => setPaused(connection, jobName, isPaused),
    listPausedJobs: (call) => listPausedJobs(connection, call),
    putSchedule: (given) => putSchedule(connection, schema, given),
    getSchedule: (id) => getSchedule(connection, id),
    listSchedules: () => listSchedules(connection),
    listJobSchedules: (look, call) => listJobSchedules(connection, look, call),
    pauseSchedule: (id) => pauseSchedule(connection, id),
    resumeSchedule: (given) => resumeSchedule(connection, given),
    deleteSchedule: (given) => deleteSchedule(connection, given),
    fireSlots: (firings) => fireSlots(connection, firings),
    fireSchedule: (given) => fireSchedule(connection, given),
    foldStats: () => foldStats(connection),
    readStats: (look) => readStats(connection, look),
    noteWorker: (worker) => noteWorker(connection, worker),
    forgetWorker: (instance, deadlineMs) => forgetWorker(connection, instance, deadlineMs),
    listWorkers: () => listWorkers(connection),
    readOverview: (call) => readOverview(connection, call),
    listLines: () => listLines(connection),
    requests: () => connection.meter.counted(),
    noticeLimits: () => schema.noticeLimits(connection),
    subscribe: (webhooks) => schema.subscribe(webhooks),
    purgeDeliveries: () => purgeDeliveries(connection),
    checkOpen: () => connection.checkOpen(),
    ping: () => connection.ping(),
    trouble: () => connection.trouble,
  };
  return { store, db: connection.db, isRemote: connection.isRemote };
}
