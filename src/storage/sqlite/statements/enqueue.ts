import { JsonText } from '../../../core/json/json-text.ts';
import { collect } from '../../../core/json/portions.ts';
import { RUN_TRANSITIONS, type StoredRun } from '../../../core/run.ts';
import type { Enqueued, NewRun, Store } from '../../../core/store.ts';
import type { Connection } from '../connection/connection.ts';
import { type Departure, Lane, type LaneMember } from '../connection/lane.ts';
import type { Statement } from '../connection/statement.ts';
import { readWholeRuns } from './list-runs.ts';
import { inPortions, type Listed } from './portions.ts';
import { type ListedRunRow, listedColumns, type RunRow, toListedRun, toRun } from './rows.ts';

/** A payload of this length is sent as its own parameter; inside JSON it would be escaped and parsed. */
const LARGE_CHARS = 256 * 1024;
/** A server limits the size of a parameter, so many runs are sent as several statements of one batch. */
const BATCH_ROWS = 500;
const BATCH_CHARS = 1024 * 1024;

/**
 * ?1 the runs as lists in the order of {@link toValues}, ?2 the payload of the one run
 * that has none in ?1. If an id exists already, it is this very run, sent again because
 * the answer was lost.
 */
const STORE = `
insert into durably_runs (id, job_name, payload, idempotency_key, concurrency_key, labels)
select value->>0, value->>1, coalesce(value->>2, ?2), value->>3, value->>4, value->>5
from json_each(?1)
where true
order by key
on conflict (id) do update set id = excluded.id`;

/**
 * Of a new run nothing else is unknown, and each column returned costs time. 'now' stands
 * still within a statement, so all of its rows return the same.
 */
const STORE_NEW = `${STORE}
returning created_at`;

/** If the key has a run already, or occurs twice in the statement, that run is answered and nothing is journalled. */
const STORE_KEYED = `${STORE}
on conflict (job_name, idempotency_key) where idempotency_key is not null
  do update set idempotency_key = excluded.idempotency_key
returning ${listedColumns(null)}, idempotency_key as stored_key`;

const READ = `select ${listedColumns(null)} from durably_runs where id in (select value from json_each(?))`;

/** The runs of one caller. */
interface Caller extends LaneMember {
  readonly runs: readonly NewRun[];
}

/** Stores runs. Those of concurrent callers share a statement. */
export function createEnqueue(connection: Connection): Store['enqueue'] {
  const lane = new Lane<Caller, Enqueued[]>({
    clock: connection.clock,
    send: (callers, departure) => storeGroup(connection, callers, departure),
    isMembersFault: connection.isStatementFault,
    maxUnderWay: () => connection.maxUnderWay,
  });
  return (runs) => {
    if (runs.length === 0) return Promise.resolve([]);
    let chars = 0;
    for (const run of runs) chars += charsOf(run);
    return lane.submit({ runs, rows: runs.length, chars }, connection.callerDeadline());
  };
}

function charsOf({ payload, labels }: NewRun): number {
  return payload.length + (labels?.length ?? 0);
}

async function storeGroup(
  connection: Connection,
  callers: readonly Caller[],
  departure: Departure,
): Promise<Enqueued[][]> {
  const runs: NewRun[] = [];
  let isKeyed = false;
  for (const caller of callers) {
    for (const run of caller.runs) {
      runs.push(run);
      isKeyed ||= run.idempotencyKey !== null;
    }
  }
  const stored = isKeyed
    ? await storeKeyed(connection, runs, departure)
    : await storeNew(connection, runs, departure);
  let start = 0;
  return callers.map((caller) => {
    const end = start + caller.runs.length;
    const own = stored.slice(start, end);
    start = end;
    return own;
  });
}

/** Answers in the order of the runs, as {@link storeKeyed} does. */
async function storeNew(
  connection: Connection,
  runs: readonly NewRun[],
  { deadlineMs, isSentAgain }: Departure,
): Promise<Enqueued[]> {
  let sendings = isSentAgain ? 1 : 0;
  const rows = await store<Pick<RunRow, 'created_at'>>(connection, {
    sql: STORE_NEW,
    runs,
    deadlineMs,
    onSend: () => {
      sendings++;
    },
  });
  // An earlier sending may have stored it, and a worker may have begun it since.
  const current = sendings > 1 ? await readRuns(connection, runs) : undefined;
  return runs.map((run, i) => {
    const row = rows[i];
    if (row === undefined) throw notStored(run);
    const toRow = () => toRun(toNewRow(run, row.created_at));
    return { runId: run.id, disposition: 'created', toRun: () => current?.get(run.id) ?? toRow() };
  });
}

/** With the key as stored, including its scope, which runs don't show. */
type KeyedRow = ListedRunRow & { readonly stored_key: string | null };

async function storeKeyed(
  connection: Connection,
  runs: readonly NewRun[],
  { deadlineMs }: Departure,
): Promise<Enqueued[]> {
  const rows = await store<KeyedRow>(connection, { sql: STORE_KEYED, runs, deadlineMs });
  const listed = rows.map(toListedRun);
  const given = new Map(runs.map((run) => [run.id, run]));
  // The payload of a run that was just stored is known and need not be read.
  const known = listed.map((one): Listed<StoredRun, StoredRun> => {
    const run = given.get(one.row.id);
    return one.isWhole || run === undefined ? one : { ...one, row: withPayload(one.row, run), isWhole: true };
  });
  const storedKeys = new Map(listed.map(({ row }, i) => [row.id, rows[i]?.stored_key ?? null]));
  const byId = new Map<string, StoredRun>();
  const byKey = new Map<string, StoredRun>();
  for (const run of await whole(connection, known)) {
    byId.set(run.id, run);
    const storedKey = storedKeys.get(run.id) ?? null;
    if (storedKey !== null) byKey.set(keyOf(run.jobName, storedKey), run);
  }
  return runs.map((run) => {
    const own = byId.get(run.id);
    const stored = own ?? byKey.get(keyOf(run.jobName, run.idempotencyKey ?? ''));
    if (!stored) throw notStored(run);
    const disposition = own === undefined ? 'idempotent' : 'created';
    return { runId: stored.id, disposition, toRun: () => stored };
  });
}

interface StoreRequest extends Pick<Statement<unknown>, 'deadlineMs' | 'onSend'> {
  readonly sql: string;
  readonly runs: readonly NewRun[];
}

/** Stores all runs or none: in one statement, or on a server in several of one batch. */
async function store<Row>(connection: Connection, { sql, runs, ...sending }: StoreRequest): Promise<Row[]> {
  const statements = connection.batch
    ? splitForBatch(runs).map((part) => toStatement<Row>(sql, part))
    : [toStatement<Row>(sql, runs)];
  const [only, ...others] = statements;
  if (only && others.length === 0) return await connection.execute<Row>({ ...only, ...sending });
  return (await connection.executeBatch(statements, sending)).flat();
}

function toStatement<Row>(sql: string, runs: readonly NewRun[]): Statement<Row> {
  const [first] = runs;
  if (first && runs.length === 1 && first.payload.length > LARGE_CHARS) {
    const parameters = [JSON.stringify([toValues(first, null)]), first.payload];
    return { kind: 'write', sql, parameters };
  }
  const values = runs.map((run) => toValues(run, run.payload));
  return { kind: 'write', sql, parameters: [JSON.stringify(values), ''] };
}

/** A list: with a name for each value the statement would take a tenth longer. */
function toValues(run: NewRun, payload: string | null): readonly (string | null)[] {
  return [run.id, run.jobName, payload, run.idempotencyKey, run.concurrencyKey, run.labels];
}

/** In order. A large payload gets a statement of its own. */
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
): Promise<ReadonlyMap<string, StoredRun>> {
  const ids = JSON.stringify(runs.map(({ id }) => id));
  const rows = await connection.execute<ListedRunRow>({ kind: 'read', sql: READ, parameters: [ids] });
  return new Map((await whole(connection, rows.map(toListedRun))).map((run) => [run.id, run]));
}

async function whole(connection: Connection, listed: Listed<StoredRun, StoredRun>[]): Promise<StoredRun[]> {
  const portions = inPortions(listed, (cut) => readWholeRuns(connection, null, cut));
  return await collect(portions, (run) => run);
}

function withPayload(row: StoredRun, { payload }: NewRun): StoredRun {
  return { ...row, payload: new JsonText(payload) };
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
  };
}

function notStored({ id }: NewRun): Error {
  return new Error(`run ${id} was not stored`);
}

function keyOf(jobName: string, idempotencyKey: string): string {
  return `${jobName}\0${idempotencyKey}`;
}
