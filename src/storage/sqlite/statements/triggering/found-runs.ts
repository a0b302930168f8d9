import { JsonText } from '../../../../core/json/json-text.ts';
import { collect } from '../../../../core/json/portions.ts';
import type { StoredRun } from '../../../../core/run.ts';
import type { Disposition, Enqueued, NewRun } from '../../../../core/triggers/new-run.ts';
import type { Rows } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import { readCurrent } from '../current-reads.ts';
import { readWholeRuns } from '../list-runs.ts';
import { type CutRow, inPortions, type Listed } from '../portions.ts';
import { type ListedRunRow, toListedRun } from '../rows.ts';

/** The runs that a request has stored or found by their keys. */
export interface FoundRuns {
  readonly kind: 'keyed';
  readonly byId: ReadonlyMap<string, ListedRun>;
  readonly byKey: ReadonlyMap<string, ListedRun>;
  /** The ids of the runs of a concurrency key or a debounce key, if one of the runs was looked for by such a key. */
  readonly byOtherKey: ReadonlyMap<string, ReadonlySet<string>>;
  /** The ids of runs whose payload is not that with which their idempotency key came. */
  readonly changed: ReadonlySet<string>;
}

type ListedRun = Listed<StoredRun, StoredRun>;

/** With the key as it is stored, including its scope. Callers don't see the scope. */
export type FoundRow = ListedRunRow & {
  readonly stored_key: string | null;
  readonly debounce_key: string | null;
  /** 1 if a debounced trigger has changed the payload with which the idempotency key came. */
  readonly is_changed: number;
};

export function foundRuns(rows: readonly FoundRow[], { looksFurther }: { looksFurther: boolean }): FoundRuns {
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

/** What the callers are told of runs, each stored or found. */
export async function enqueuedOf(
  reading: Reading,
  runs: readonly NewRun[],
  stored: FoundRuns,
): Promise<Enqueued[]> {
  const found = runs.map((run) => {
    const own = stored.byId.get(run.id);
    if (own !== undefined) {
      // The payload of a run that was just stored is known, so it is not read. Long labels are missing with all other texts.
      const isKnown = !own.isWhole && (run.labels === null || Object.keys(own.row.labels).length > 0);
      return { listed: isKnown ? known(own, run) : own, disposition: 'created' } as const;
    }
    const found = foundRun(run, stored);
    if (found === undefined) throw notStored(run);
    return found;
  });
  const read = await allWhole(
    reading,
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
  { byId, byKey, byOtherKey }: FoundRuns,
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

/** How runs are read that were found. */
export interface Reading {
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

export function readingFrom(connection: Connection, deadlineMs: number): Reading {
  return {
    whole: (cut) => readWholeRuns(connection, null, cut, { asOf: 'now', deadlineMs }),
    byIds: (sql, ids) => readCurrent(connection, { sql, parameters: [ids], deadlineMs }),
  };
}

export async function allWhole(reading: Reading, listed: readonly ListedRun[]): Promise<StoredRun[]> {
  if (listed.every(({ isWhole }) => isWhole)) return listed.map(({ row }) => row);
  const portions = inPortions([...listed], reading.whole);
  return await collect(portions, (run) => run);
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
