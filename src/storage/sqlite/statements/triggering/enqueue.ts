import { RUN_TRANSITIONS, type StoredRun } from '../../../../core/run.ts';
import type { Enqueued, NewRun } from '../../../../core/triggers/new-run.ts';
import type { Rows, WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import type { OptionalSchema } from '../../migrations/optional-schema.ts';
import { isInLine } from '../claims/limit-keys.ts';
import { readCurrent } from '../current-reads.ts';
import { PLACES } from '../places.ts';
import { type ListedRunRow, listedColumns, type RunRow, SHORT_LISTED, toListedRun, toRun } from '../rows.ts';
import { hasOptions, isFound, splitForBatch, sumOfChars, toSql } from './enqueue-parameters.ts';
import { STORE_KEYED, STORE_KEYED_WITH_OPTIONS, STORE_NEW, STORE_RESOLVED } from './enqueue-sql.ts';
import { allWhole, enqueuedOf, type FoundRow, type FoundRuns, foundRuns, readingFrom } from './found-runs.ts';

const READ = `select ${SHORT_LISTED} from durably_runs where id in (select value from json_each(?))`;

/** What a request has stored: the time of new runs, or whole runs where keys were given. */
type Stored =
  | {
      readonly kind: 'new';
      readonly createdAt: number;
      /** An earlier sending may have stored them, and a worker may have started them. */
      readonly mayBeOlder: boolean;
    }
  | FoundRuns;

/** Stores runs. All runs of a member are stored, or none. Concurrent callers share a statement. */
export const enqueues: WriteKind<readonly NewRun[], Stored> = {
  name: 'enqueue',
  place: PLACES.enqueue,
  sizeOf: (runs) => ({ rows: runs.length, chars: sumOfChars(runs) }),
  compile: (members, { isSentAgain, isBatch, isRemote, asksLess }) => {
    const runs = members.flat();
    const sql = statementFor(runs);
    const isKeyed = sql !== STORE_NEW;
    const parts = isBatch && isRemote ? splitForBatch(runs) : [runs];
    return {
      statements: parts.map((part) =>
        toSql(asksLess ? sql.replace(listedColumns(null), SHORT_LISTED) : sql, part),
      ),
      decode: (answers) => {
        const rows = answers.flat();
        const stored = isKeyed
          ? foundRuns(rows as unknown as FoundRow[], { looksFurther: sql === STORE_RESOLVED })
          : newResult(rows, { mayBeOlder: isSentAgain });
        return members.map(() => stored);
      },
    };
  },
};

/** The shortest statement that can store the runs. */
function statementFor(runs: readonly NewRun[]): string {
  if (runs.some(isFound)) return STORE_RESOLVED;
  if (runs.some(hasOptions)) return STORE_KEYED_WITH_OPTIONS;
  return runs.some(({ idempotencyKey }) => idempotencyKey !== null) ? STORE_KEYED : STORE_NEW;
}

/** Stores all runs or none. @throws {DatabaseUnavailableError} */
export async function enqueue(
  connection: Connection,
  schema: OptionalSchema,
  runs: readonly NewRun[],
): Promise<Enqueued[]> {
  if (runs.length === 0) return [];
  const deadlineMs = connection.callerDeadline();
  if (!schema.hasLimits && runs.some(isInLine)) await schema.addLimits(deadlineMs);
  if (runs.some(isFound)) await schema.addCoalescing(deadlineMs);
  const stored = await connection.lane.submit(enqueues, runs, deadlineMs);
  if (stored.kind === 'keyed') return await enqueuedOf(readingFrom(connection, deadlineMs), runs, stored);
  const { createdAt, mayBeOlder } = stored;
  const current = mayBeOlder ? await readRuns(connection, runs, deadlineMs) : undefined;
  return runs.map((run) => newlyStored(run, createdAt, current?.get(run.id)));
}

/** @param current the run as it was read since */
export function newlyStored(run: NewRun, createdAt: number, current?: StoredRun): Enqueued {
  const stored = () => current ?? toRun(toNewRow(run, createdAt));
  return { runId: run.id, disposition: 'created', toRun: stored };
}

function newResult([first]: Rows, { mayBeOlder }: { mayBeOlder: boolean }): Stored {
  if (first === undefined) throw new Error('the database has stored no run');
  return { kind: 'new', createdAt: Number(first.created_at), mayBeOlder };
}

async function readRuns(
  connection: Connection,
  runs: readonly NewRun[],
  deadlineMs: number,
): Promise<ReadonlyMap<string, StoredRun>> {
  const ids = JSON.stringify(runs.map(({ id }) => id));
  const rows = await readCurrent<ListedRunRow>(connection, { sql: READ, parameters: [ids], deadlineMs });
  return new Map(
    (await allWhole(readingFrom(connection, deadlineMs), rows.map(toListedRun))).map((run) => [run.id, run]),
  );
}

/** The row of a run that was just stored. */
function toNewRow(run: NewRun, createdAt: number): RunRow {
  return {
    id: run.id,
    job_name: run.jobName,
    status: RUN_TRANSITIONS.trigger.to,
    attempt: 0,
    step_count: 0,
    heartbeat_at: null,
    created_at: createdAt,
    started_at: null,
    completed_at: null,
    updated_at: createdAt,
    idempotency_key: run.idempotencyKey,
    concurrency_key: run.concurrencyKey,
    progress: null,
    error: null,
    output: null,
    payload: run.payload,
    labels: run.labels,
    error_detail: null,
    failed_step_name: null,
    waits: null,
    parent_run_id: null,
    schedule_id: null,
    scheduled_for: null,
  };
}
