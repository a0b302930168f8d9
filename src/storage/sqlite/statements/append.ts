import type { Append, AppendResult } from '../../../core/store.ts';
import type { Connection } from '../connection/connection.ts';
import { Lane, type LaneMember } from '../connection/lane.ts';
import { NOW_MS } from '../sql.ts';
import { isFrom } from './transitions.ts';

/**
 * Appends what owners tell of their runs to the journal, through a view whose
 * triggers store the steps' and the runs' outcomes besides: one statement for
 * any number of both.
 *
 * The join is the fence: an owner whose run was claimed again, or is no longer
 * running, inserts nothing. `append_count` makes a repeated append
 * harmless. Both are read before the first row is inserted, since SQLite
 * collects the rows of an INSERT … SELECT first when its target has triggers.
 *
 * Materialized, for `json_each` writes its value anew each time it is read.
 *
 * ?1 the entries, ?2 the data of a lone entry that has none there; empty without.
 */
const APPEND = `
with entries as materialized (select key, value from json_each(?1))
insert into durably_appends
  (run_id, job_name, type, created_at, attempt, append_no, step_name, step_index, level, message, duration_ms, data)
select r.id, r.job_name, e.value->>'type', ${NOW_MS} - (e.value->>'ageMs'), r.attempt, e.value->>'appendNo',
  e.value->>'stepName', e.value->>'stepIndex', e.value->>'level', e.value->>'message',
  e.value->>'durationMs', coalesce(e.value->>'data', nullif(?2, ''))
from entries e cross join durably_runs r
where r.id = e.value->>'runId' and r.fence = e.value->>'fence' and ${isFrom('complete', 'r')}
  and r.append_count < e.value->>'after'
order by e.key
returning run_id, append_no`;

/** Which of some appends are stored, by whichever of the statements sent for them. */
const STORED = `
select r.id as run_id, a.value->>'number' as append_no
from json_each(?) a cross join durably_runs r
where r.id = a.value->>'runId' and r.fence = a.value->>'fence' and r.append_count >= a.value->>'number'`;

/** One entry of this size is an append of its own. */
const LARGE_CHARS = 256 * 1024;

interface AppendedRow {
  readonly run_id: string;
  readonly append_no: number | null;
}

type Member = LaneMember & { readonly append: Append };

/** Appends for runs, those of concurrent runs in one statement. */
export class AppendLane {
  readonly #lane: Lane<Member, AppendResult>;

  constructor(connection: Connection) {
    this.#lane = new Lane({
      clock: connection.clock,
      send: (members) => appendAll(connection, members),
      isMembersFault: connection.isStatementFault,
      maxUnderWay: () => connection.maxUnderWay,
    });
  }

  /** The last of what was submitted so far; undefined when all of it is stored. */
  #last: Promise<unknown> | undefined;

  /** Resolves when what was submitted so far is stored or refused; undefined when it is. */
  get underWay(): Promise<void> | undefined {
    return this.#lane.isIdle ? undefined : this.#last?.then(ignore, ignore);
  }

  submit(append: Append): Promise<AppendResult> {
    let chars = 0;
    for (const { note } of append.entries) {
      chars += (note.data?.length ?? 0) + (note.message?.length ?? 0) + (note.stepName?.length ?? 0);
    }
    const stored = this.#lane.submit({ append, rows: append.entries.length, chars });
    this.#last = stored;
    return stored;
  }
}

async function appendAll(connection: Connection, members: readonly Member[]): Promise<AppendResult[]> {
  const appends = members.map((member) => member.append);
  if (new Set(appends.map(identifyAppend)).size < appends.length) {
    // A process that took a run over from itself: the answer names run and number, but not the fence.
    const results: AppendResult[] = [];
    for (const member of members) results.push(...(await appendAll(connection, [member])));
    return results;
  }
  const rows = await connection.execute<AppendedRow>({
    kind: 'write',
    sql: APPEND,
    parameters: toParameters(appends),
  });
  const stored = new Set(rows.filter((row) => row.append_no !== null).map(identify));
  const missing = appends.filter((append) => !stored.has(identifyAppend(append)));
  if (missing.length > 0) {
    // Refused, or stored by an earlier sending whose answer was lost.
    const asked = missing.map(({ lease, number }) => ({ ...lease, number }));
    const found = await connection.execute<AppendedRow>({
      kind: 'read',
      sql: STORED,
      parameters: [JSON.stringify(asked)],
    });
    for (const row of found) stored.add(identify(row));
  }
  return appends.map((append) => (stored.has(identifyAppend(append)) ? 'stored' : 'refused'));
}

/**
 * What is null is left out: the shorter the JSON, the sooner SQLite has found in
 * it what it looks for. Times are whole ms: the columns take no others.
 */
function toRows({ lease, number, sentAtMs, entries }: Append) {
  return entries.map(({ note, atMs }, i) => ({
    runId: lease.runId,
    fence: lease.fence,
    after: number,
    appendNo: i === entries.length - 1 ? number : undefined,
    type: note.type,
    ageMs: Math.round(sentAtMs - atMs),
    stepName: note.stepName ?? undefined,
    stepIndex: note.stepIndex ?? undefined,
    level: note.level ?? undefined,
    message: note.message ?? undefined,
    durationMs: note.durationMs == null ? undefined : Math.round(note.durationMs),
    data: note.data ?? undefined,
  }));
}

/** A large text travels as a parameter of its own: within JSON it would be escaped, and parsed. */
function toParameters(appends: readonly Append[]): [entries: string, data: string] {
  const rows = appends.flatMap(toRows);
  const [first] = rows;
  if (first?.data === undefined || rows.length > 1 || first.data.length <= LARGE_CHARS) {
    return [JSON.stringify(rows), ''];
  }
  return [JSON.stringify([{ ...first, data: undefined }]), first.data];
}

function ignore(): void {}

function identify(row: AppendedRow): string {
  return `${row.run_id} ${row.append_no}`;
}

function identifyAppend({ lease, number }: Append): string {
  return `${lease.runId} ${number}`;
}
