import { JsonText } from '../../../core/json/json-text.ts';
import { collect } from '../../../core/json/portions.ts';
import { RUN_TRANSITIONS, type StoredRun } from '../../../core/run.ts';
import type { Disposition, Enqueued, NewRun } from '../../../core/store.ts';
import type { Rows, Sql, WriteKind } from '../../writes.ts';
import type { Connection } from '../connection/connection.ts';
import type { OptionalSchema } from '../migrations/optional-schema.ts';
import { isInLine, storedLimitKey, storedRateKey } from './claims/limit-keys.ts';
import { readCurrent } from './current-reads.ts';
import { STORE_KEYED, STORE_KEYED_WITH_OPTIONS, STORE_NEW, STORE_RESOLVED } from './enqueue-sql.ts';
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
  'idempotencyTtlMs',
  'coalesce',
  'debounce',
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
      /** The runs of a concurrency key or a debounce key, the oldest first. */
      readonly byOtherKey: ReadonlyMap<string, readonly ListedRun[]>;
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
    const isResolved = runs.some(isFound);
    const sql = isResolved
      ? STORE_RESOLVED
      : hasOptions
        ? STORE_KEYED_WITH_OPTIONS
        : isKeyed
          ? STORE_KEYED
          : STORE_NEW;
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
  if (runs.some(isFound)) await schema.addCoalescing();
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
type KeyedRow = ListedRunRow & { readonly stored_key: string | null; readonly debounce_key: string | null };

function keyedResult(rows: readonly KeyedRow[]): Stored {
  const byId = new Map<string, ListedRun>();
  const byKey = new Map<string, ListedRun>();
  const byOtherKey = new Map<string, ListedRun[]>();
  const note = (key: string, listed: ListedRun) => {
    byOtherKey.set(
      key,
      [...(byOtherKey.get(key) ?? []), listed].toSorted((a, b) => a.key - b.key),
    );
  };
  for (const row of rows) {
    const listed = toListedRun(row);
    const isNew = !byId.has(listed.row.id);
    byId.set(listed.row.id, listed);
    const { jobName, concurrencyKey } = listed.row;
    if (isNew && concurrencyKey !== null) note(coalescingKey(jobName, concurrencyKey), listed);
    if (isNew && row.debounce_key !== null) note(debouncingKey(jobName, row.debounce_key), listed);
    if (row.stored_key !== null) byKey.set(keyOf(listed.row.jobName, row.stored_key), listed);
  }
  return { kind: 'keyed', byId, byKey, byOtherKey };
}

async function toEnqueued(
  connection: Connection,
  runs: readonly NewRun[],
  stored: Stored & { readonly kind: 'keyed' },
): Promise<Enqueued[]> {
  const found = runs.map((run) => {
    const own = stored.byId.get(run.id);
    // The payload of a run that was just stored is known, so it is not read.
    if (own !== undefined) {
      return { listed: own.isWhole ? own : known(own, run), disposition: 'created' } as const;
    }
    const found = foundRun(run, stored);
    if (found === undefined) throw notStored(run);
    return found;
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

/** The run that was there already. */
function foundRun(
  { jobName, idempotencyKey, concurrencyKey, coalesce, debounce }: NewRun,
  { byKey, byOtherKey }: Stored & { readonly kind: 'keyed' },
): { readonly listed: ListedRun; readonly disposition: Disposition } | undefined {
  const idempotent = byKey.get(keyOf(jobName, idempotencyKey ?? ''));
  if (idempotent !== undefined) return { listed: idempotent, disposition: 'idempotent' };
  if (debounce !== undefined) {
    const [listed] = byOtherKey.get(debouncingKey(jobName, debounce.key)) ?? [];
    return listed && { listed, disposition: 'debounced' };
  }
  const ofKey = byOtherKey.get(coalescingKey(jobName, concurrencyKey ?? '')) ?? [];
  const listed = ofKey.find(({ row }) => mayCoalesce(row, coalesce));
  return listed && { listed, disposition: 'coalesced' };
}

/** Whether the statement may have found this run for one that is coalesced. */
function mayCoalesce({ status, startedAt, isActive }: StoredRun, coalesce: NewRun['coalesce']): boolean {
  if (coalesce === 'active') return isActive;
  return status === 'pending' || (status === 'waiting' && startedAt === null);
}

/** Whether the trigger looks for a run that is there already by another key than the idempotency key. */
function isFound({ coalesce, debounce }: NewRun): boolean {
  return coalesce !== undefined || debounce !== undefined;
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
  const { idempotencyTtlMs, coalesce, debounce } = run;
  const found = [idempotencyTtlMs, coalesce, debounce?.key, debounce?.delayMs, debounce?.maxDelayMs].map(
    (each) => each ?? null,
  );
  const limits = [ttl?.ms, ttl?.text, timeout?.ms, timeout?.text].map((each) => each ?? null);
  return [
    ...values,
    afterMs,
    atMs,
    priority ?? null,
    ...limits,
    storedLimitKey(run),
    storedRateKey(run),
    ...found,
  ];
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
  };
}

function notStored({ id }: NewRun): Error {
  return new Error(`run ${id} was not stored`);
}

function coalescingKey(jobName: string, concurrencyKey: string): string {
  return `coalesce\0${jobName}\0${concurrencyKey}`;
}

function debouncingKey(jobName: string, debounceKey: string): string {
  return `debounce\0${jobName}\0${debounceKey}`;
}

function keyOf(jobName: string, idempotencyKey: string): string {
  return `${jobName}\0${idempotencyKey}`;
}
