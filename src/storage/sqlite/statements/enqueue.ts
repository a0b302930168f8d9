import { JsonText } from '../../../core/json/json-text.ts';
import { collect } from '../../../core/json/portions.ts';
import { RUN_TRANSITIONS, type StoredRun } from '../../../core/run.ts';
import type { Enqueued, NewRun } from '../../../core/store.ts';
import type { Rows, Sql, WriteKind } from '../../writes.ts';
import type { Connection } from '../connection/connection.ts';
import type { OptionalSchema } from '../migrations/optional-schema.ts';
import { isInLine, storedLimitKey, storedRateKey } from './claims/limit-keys.ts';
import { readCurrent } from './current-reads.ts';
import { STORE_KEYED, STORE_KEYED_WITH_OPTIONS, STORE_NEW } from './enqueue-sql.ts';
import { readWholeRuns } from './list-runs.ts';
import { PLACES } from './places.ts';
import { inPortions, type Listed } from './portions.ts';
import { type ListedRunRow, listedColumns, type RunRow, toListedRun, toRun } from './rows.ts';

/** A longer payload is sent as a parameter of its own, because JSON around it would be escaped and parsed. */
const LARGE_CHARS = 256 * 1024;
/** Servers limit the size of a parameter, so many runs are sent as several statements of one batch. */
const BATCH_ROWS = 500;
const BATCH_CHARS = 1024 * 1024;

/** What most runs don't have: without it a statement is shorter. */
const OPTIONS = [
  'due',
  'priority',
  'ttl',
  'timeout',
  'limitKey',
  'throttleKey',
] as const satisfies readonly (keyof NewRun)[];

const READ = `select ${listedColumns(null)} from durably_runs where id in (select value from json_each(?))`;

/** What a request has stored: the time of new runs, or whole runs where keys were given. */
type Stored =
  | {
      readonly kind: 'new';
      readonly createdAt: number;
      /** An earlier sending may have stored them, and a worker may have started them. */
      readonly mayBeOlder: boolean;
    }
  | {
      readonly kind: 'keyed';
      readonly byId: ReadonlyMap<string, ListedRun>;
      readonly byKey: ReadonlyMap<string, ListedRun>;
    };

type ListedRun = Listed<StoredRun, StoredRun>;

/** Stores runs. All runs of a member are stored, or none. Concurrent callers share a statement. */
const enqueues: WriteKind<readonly NewRun[], Stored> = {
  name: 'enqueue',
  place: PLACES.enqueue,
  sizeOf: (runs) => ({ rows: runs.length, chars: sumOfChars(runs) }),
  compile: (members, { isSentAgain, isBatch, isRemote }) => {
    const runs = members.flat();
    const hasOptions = runs.some((run) => OPTIONS.some((option) => run[option] !== undefined));
    const isKeyed = hasOptions || runs.some((run) => run.idempotencyKey !== null);
    const sql = hasOptions ? STORE_KEYED_WITH_OPTIONS : isKeyed ? STORE_KEYED : STORE_NEW;
    const parts = isBatch && isRemote ? splitForBatch(runs) : [runs];
    return {
      statements: parts.map((part) => toSql(sql, part)),
      decode: (answers) => {
        const rows = answers.flat();
        const stored = isKeyed
          ? keyedResult(rows as unknown as KeyedRow[])
          : newResult(rows, { mayBeOlder: isSentAgain });
        return members.map(() => stored);
      },
    };
  },
};

function sumOfChars(runs: readonly NewRun[]): number {
  let chars = 0;
  for (const run of runs) chars += charsOf(run);
  return chars;
}

function charsOf({ payload, labels }: NewRun): number {
  return payload.length + (labels?.length ?? 0);
}

/** Stores all runs or none. @throws {DatabaseUnavailableError} */
export async function enqueue(
  connection: Connection,
  schema: OptionalSchema,
  runs: readonly NewRun[],
): Promise<Enqueued[]> {
  if (runs.length === 0) return [];
  if (!schema.hasLimits && runs.some(isInLine)) await schema.addLimits();
  const deadlineMs = connection.callerDeadline();
  const stored = await connection.lane.submit(enqueues, runs, deadlineMs);
  if (stored.kind === 'keyed') return await toEnqueued(connection, runs, stored);
  const { createdAt, mayBeOlder } = stored;
  const current = mayBeOlder ? await readRuns(connection, runs, deadlineMs) : undefined;
  return runs.map((run) => ({
    runId: run.id,
    disposition: 'created',
    toRun: () => current?.get(run.id) ?? toRun(toNewRow(run, createdAt)),
  }));
}

function newResult([first]: Rows, { mayBeOlder }: { mayBeOlder: boolean }): Stored {
  if (first === undefined) throw new Error('the database has stored no run');
  return { kind: 'new', createdAt: Number(first.created_at), mayBeOlder };
}

/** With the key as it is stored, including its scope. Callers don't see the scope. */
type KeyedRow = ListedRunRow & { readonly stored_key: string | null };

function keyedResult(rows: readonly KeyedRow[]): Stored {
  const byId = new Map<string, ListedRun>();
  const byKey = new Map<string, ListedRun>();
  for (const row of rows) {
    const listed = toListedRun(row);
    byId.set(listed.row.id, listed);
    if (row.stored_key !== null) byKey.set(keyOf(listed.row.jobName, row.stored_key), listed);
  }
  return { kind: 'keyed', byId, byKey };
}

async function toEnqueued(
  connection: Connection,
  runs: readonly NewRun[],
  { byId, byKey }: Stored & { readonly kind: 'keyed' },
): Promise<Enqueued[]> {
  const found = runs.map((run) => {
    const own = byId.get(run.id);
    const listed = own ?? byKey.get(keyOf(run.jobName, run.idempotencyKey ?? ''));
    if (!listed) throw notStored(run);
    // The payload of a run that was just stored is known, so it is not read.
    const whole = own === undefined || own.isWhole ? listed : known(own, run);
    return { listed: whole, disposition: own === undefined ? 'idempotent' : 'created' } as const;
  });
  const read = await whole(
    connection,
    found.map(({ listed }) => listed),
  );
  const byRunId = new Map(read.map((run) => [run.id, run]));
  return found.map(({ listed, disposition }) => {
    const run = byRunId.get(listed.row.id) ?? listed.row;
    return { runId: run.id, disposition, toRun: () => run };
  });
}

function known(listed: ListedRun, { payload }: NewRun): ListedRun {
  return { ...listed, isWhole: true, row: { ...listed.row, payload: new JsonText(payload) } };
}

function toSql(sql: string, runs: readonly NewRun[]): Sql {
  const [first] = runs;
  if (first && runs.length === 1 && first.payload.length > LARGE_CHARS) {
    const parameters = [JSON.stringify([toValues(first, null)]), first.payload];
    return { sql, parameters };
  }
  const values = runs.map((run) => toValues(run, run.payload));
  return { sql, parameters: [JSON.stringify(values), ''] };
}

/** A list, because a name for each value would make the statement a tenth slower. */
function toValues(run: NewRun, payload: string | null): readonly (string | number | null)[] {
  const { id, jobName, idempotencyKey, concurrencyKey, labels, due, priority, ttl, timeout } = run;
  const values = [id, jobName, payload, idempotencyKey, concurrencyKey, labels];
  if (OPTIONS.every((option) => run[option] === undefined)) return values;
  const afterMs = due !== undefined && 'afterMs' in due ? Math.ceil(due.afterMs) : null;
  const atMs = due !== undefined && 'atMs' in due ? due.atMs : null;
  const limits = [ttl?.ms, ttl?.text, timeout?.ms, timeout?.text].map((each) => each ?? null);
  return [...values, afterMs, atMs, priority ?? null, ...limits, storedLimitKey(run), storedRateKey(run)];
}

/** Divides the runs in order. A large payload gets a statement of its own. */
function splitForBatch(runs: readonly NewRun[]): NewRun[][] {
  const parts: NewRun[][] = [];
  let part: NewRun[] = [];
  let chars = 0;
  for (const run of runs) {
    const added = charsOf(run);
    const isFull = part.length === BATCH_ROWS || chars + added > BATCH_CHARS || added > LARGE_CHARS;
    if (part.length > 0 && (isFull || chars > LARGE_CHARS)) {
      parts.push(part);
      part = [];
      chars = 0;
    }
    part.push(run);
    chars += added;
  }
  return [...parts, part];
}

async function readRuns(
  connection: Connection,
  runs: readonly NewRun[],
  deadlineMs: number,
): Promise<ReadonlyMap<string, StoredRun>> {
  const ids = JSON.stringify(runs.map(({ id }) => id));
  const rows = await readCurrent<ListedRunRow>(connection, { sql: READ, parameters: [ids], deadlineMs });
  return new Map((await whole(connection, rows.map(toListedRun))).map((run) => [run.id, run]));
}

async function whole(connection: Connection, listed: readonly ListedRun[]): Promise<StoredRun[]> {
  if (listed.every(({ isWhole }) => isWhole)) return listed.map(({ row }) => row);
  const portions = inPortions([...listed], (cut) => readWholeRuns(connection, null, cut, 'now'));
  return await collect(portions, (run) => run);
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

function notStored({ id }: NewRun): Error {
  return new Error(`run ${id} was not stored`);
}

function keyOf(jobName: string, idempotencyKey: string): string {
  return `${jobName}\0${idempotencyKey}`;
}
