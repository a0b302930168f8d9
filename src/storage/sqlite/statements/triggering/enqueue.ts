import { JsonText } from '../../../../core/json/json-text.ts';
import { collect } from '../../../../core/json/portions.ts';
import { RUN_TRANSITIONS, type StoredRun } from '../../../../core/run.ts';
import type { Disposition, Enqueued, NewRun } from '../../../../core/triggers/new-run.ts';
import type { Rows, WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import type { OptionalSchema } from '../../migrations/optional-schema.ts';
import { isInLine } from '../claims/limit-keys.ts';
import { readCurrent } from '../current-reads.ts';
import { readWholeRuns } from '../list-runs.ts';
import { PLACES } from '../places.ts';
import { type CutRow, inPortions, type Listed } from '../portions.ts';
import { type ListedRunRow, listedColumns, type RunRow, toListedRun, toRun } from '../rows.ts';
import { hasOptions, isFound, splitForBatch, sumOfChars, toSql } from './enqueue-parameters.ts';
import { STORE_KEYED, STORE_KEYED_WITH_OPTIONS, STORE_NEW, STORE_RESOLVED } from './enqueue-sql.ts';

const READ = `select ${listedColumns(null)} from durably_runs where id in (select value from json_each(?))`;

/** What a request has stored: the time of new runs, or whole runs where keys were given. */
export type Stored =
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
      /** The ids of the runs of a concurrency key or a debounce key, if one of the runs was looked for by such a key. */
      readonly byOtherKey: ReadonlyMap<string, ReadonlySet<string>>;
      /** The ids of runs whose payload is not that with which their idempotency key came. */
      readonly changed: ReadonlySet<string>;
    };

type ListedRun = Listed<StoredRun, StoredRun>;

/** Stores runs. All runs of a member are stored, or none. Concurrent callers share a statement. */
export const enqueues: WriteKind<readonly NewRun[], Stored> = {
  name: 'enqueue',
  place: PLACES.enqueue,
  sizeOf: (runs) => ({ rows: runs.length, chars: sumOfChars(runs) }),
  compile: (members, { isSentAgain, isBatch, isRemote }) => {
    const runs = members.flat();
    const sql = statementFor(runs);
    const isKeyed = sql !== STORE_NEW;
    const parts = isBatch && isRemote ? splitForBatch(runs) : [runs];
    return {
      statements: parts.map((part) => toSql(sql, part)),
      decode: (answers) => {
        const rows = answers.flat();
        const stored = isKeyed
          ? keyedResult(rows as unknown as KeyedRow[], { looksFurther: sql === STORE_RESOLVED })
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
  if (!schema.hasLimits && runs.some(isInLine)) await schema.addLimits();
  if (runs.some(isFound)) await schema.addCoalescing();
  const deadlineMs = connection.callerDeadline();
  const stored = await connection.lane.submit(enqueues, runs, deadlineMs);
  if (stored.kind === 'keyed') return await toEnqueued(readingFrom(connection), runs, stored);
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

/** With the key as it is stored, including its scope. Callers don't see the scope. */
type KeyedRow = ListedRunRow & {
  readonly stored_key: string | null;
  readonly debounce_key: string | null;
  /** 1 if a debounced trigger has changed the payload with which the idempotency key came. */
  readonly is_changed: number;
};

function keyedResult(rows: readonly KeyedRow[], { looksFurther }: { looksFurther: boolean }): Stored {
  const byId = new Map<string, ListedRun>();
  const byKey = new Map<string, ListedRun>();
  const byOtherKey = new Map<string, Set<string>>();
  const changed = new Set<string>();
  const note = (key: string, id: string) => {
    const ids = byOtherKey.get(key) ?? new Set();
    byOtherKey.set(key, ids.add(id));
  };
  for (const row of rows) {
    const listed = toListedRun(row);
    const { id, jobName, concurrencyKey } = listed.row;
    byId.set(id, listed);
    if (row.is_changed === 1) changed.add(id);
    if (row.stored_key !== null) byKey.set(keyOf(jobName, row.stored_key), listed);
    if (looksFurther && concurrencyKey !== null) note(coalescingKey(jobName, concurrencyKey), id);
    if (looksFurther && row.debounce_key !== null) note(debouncingKey(jobName, row.debounce_key), id);
  }
  return { kind: 'keyed', byId, byKey, byOtherKey, changed };
}

export async function toEnqueued(
  reading: Reading,
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
    reading.whole,
    found.map(({ listed }) => listed),
  );
  const byRunId = new Map(read.map((run) => [run.id, run]));
  const changed = found.flatMap(({ listed: { row }, disposition }) =>
    disposition === 'idempotent' && stored.changed.has(row.id) ? [row.id] : [],
  );
  const keyed = changed.length === 0 ? undefined : await readKeyed(reading, changed);
  return found.map(({ listed, disposition }) => {
    const run = byRunId.get(listed.row.id) ?? listed.row;
    const keyedPayload = disposition === 'idempotent' ? keyed?.get(run.id) : undefined;
    return { runId: run.id, disposition, toRun: () => run, keyedPayload };
  });
}

/** The run that was there already. */
function foundRun(
  { jobName, idempotencyKey, concurrencyKey, coalesce, debounce }: NewRun,
  { byId, byKey, byOtherKey }: Stored & { readonly kind: 'keyed' },
): { readonly listed: ListedRun; readonly disposition: Disposition } | undefined {
  const idempotent = byKey.get(keyOf(jobName, idempotencyKey ?? ''));
  if (idempotent !== undefined) return { listed: idempotent, disposition: 'idempotent' };
  const key =
    debounce === undefined
      ? coalescingKey(jobName, concurrencyKey ?? '')
      : debouncingKey(jobName, debounce.key);
  const ofKey = [...(byOtherKey.get(key) ?? [])].flatMap((id) => byId.get(id) ?? []);
  if (debounce !== undefined) {
    // Others of the key are there because of their idempotency keys.
    const postponed = ofKey.find(({ row }) => isDelayed(row)) ?? ofKey[0];
    return postponed && { listed: postponed, disposition: 'debounced' };
  }
  // Of several the statement has found the oldest.
  const [listed] = ofKey.filter(({ row }) => mayCoalesce(row, coalesce)).toSorted((a, b) => a.key - b.key);
  return listed && { listed, disposition: 'coalesced' };
}

/** Whether the statement may have found this run for one that is coalesced. */
function mayCoalesce(run: StoredRun, coalesce: NewRun['coalesce']): boolean {
  if (coalesce === 'active') return run.isActive;
  return run.status === 'pending' || isDelayed(run);
}

function isDelayed({ status, startedAt }: StoredRun): boolean {
  return status === 'waiting' && startedAt === null;
}

function known(listed: ListedRun, { payload }: NewRun): ListedRun {
  return { ...listed, isWhole: true, row: { ...listed.row, payload: new JsonText(payload) } };
}

async function readRuns(
  connection: Connection,
  runs: readonly NewRun[],
  deadlineMs: number,
): Promise<ReadonlyMap<string, StoredRun>> {
  const ids = JSON.stringify(runs.map(({ id }) => id));
  const rows = await readCurrent<ListedRunRow>(connection, { sql: READ, parameters: [ids], deadlineMs });
  return new Map(
    (await whole(readingFrom(connection).whole, rows.map(toListedRun))).map((run) => [run.id, run]),
  );
}

/** How runs are read that were found. */
interface Reading {
  readonly whole: (cut: readonly CutRow<StoredRun>[]) => Promise<Map<number, StoredRun>>;
  /** Reads with a list of ids. */
  readonly byIds: (sql: string, ids: string) => Promise<Rows>;
}

const READ_KEYED = 'select id, keyed_payload from durably_runs where id = (select value from json_each(?))';

/** One after another, because all of them together may be too large. A run may have been deleted meanwhile. */
async function readKeyed({ byIds }: Reading, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const keyed = new Map<string, string>();
  for (const id of new Set(ids)) {
    const [row] = await byIds(READ_KEYED, JSON.stringify([id]));
    if (typeof row?.keyed_payload === 'string') keyed.set(id, row.keyed_payload);
  }
  return keyed;
}

function readingFrom(connection: Connection): Reading {
  return {
    whole: (cut) => readWholeRuns(connection, null, cut, 'now'),
    byIds: (sql, ids) =>
      readCurrent(connection, { sql, parameters: [ids], deadlineMs: connection.callerDeadline() }),
  };
}

async function whole(readWhole: Reading['whole'], listed: readonly ListedRun[]): Promise<StoredRun[]> {
  if (listed.every(({ isWhole }) => isWhole)) return listed.map(({ row }) => row);
  const portions = inPortions([...listed], readWhole);
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

function coalescingKey(jobName: string, concurrencyKey: string): string {
  return `coalesce\0${jobName}\0${concurrencyKey}`;
}

function debouncingKey(jobName: string, debounceKey: string): string {
  return `debounce\0${jobName}\0${debounceKey}`;
}

function keyOf(jobName: string, idempotencyKey: string): string {
  return `${jobName}\0${idempotencyKey}`;
}
