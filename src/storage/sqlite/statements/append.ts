import { endsRun } from '../../../core/events.ts';
import type { Append, AppendResult, OwnerEntry, OwnerNote } from '../../../core/ownership/append.ts';
import type { ChildStart } from '../../../core/triggers/new-run.ts';
import type { Rows, Sending, Sql, WriteKind } from '../../writes.ts';
import { NOW_MS } from '../sql.ts';
import { isInLine, storedLimitKey, storedRateKey } from './claims/limit-keys.ts';
import { PLACES } from './places.ts';
import { isFrom } from './transitions.ts';

/** The views that take appends. Each takes more kinds of entries than the one before, and is slower to prepare. */
const VIEWS = ['durably_appends', 'durably_endings', 'durably_all_appends'] as const;
type View = (typeof VIEWS)[number];

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
const appendTo = (view: View, counted = "r.append_count < e.value->>'after'") => {
  const [names, values] =
    view === 'durably_all_appends'
      ? [', signal_seq, child', ", e.value->>'signalSeq', e.value->>'child'"]
      : ['', ''];
  return `
with entries as materialized (select key, value from json_each(?1))
insert into ${view}
  (run_id, job_name, type, created_at, attempt, append_no, step_name, step_index, level, message, duration_ms, data${names})
select r.id, r.job_name, e.value->>'type', ${NOW_MS} - (e.value->>'ageMs'), r.attempt, e.value->>'appendNo',
  e.value->>'stepName', e.value->>'stepIndex', e.value->>'level', e.value->>'message',
  e.value->>'durationMs', coalesce(e.value->>'data', nullif(?2, ''))${values}
from entries e cross join durably_runs r
where r.id = e.value->>'runId' and r.fence = e.value->>'fence' and ${isFrom('complete', 'r')}
  and ${counted}
order by e.key
returning run_id, append_no`;
};

const toEachView = (counted?: string): Readonly<Record<View, string>> => ({
  durably_appends: appendTo('durably_appends', counted),
  durably_endings: appendTo('durably_endings', counted),
  durably_all_appends: appendTo('durably_all_appends', counted),
});

const APPEND = toEachView();
/** Only if the transaction that has counted the number before this one is still open. */
const APPEND_WITHIN = toEachView("r.append_count = (e.value->>'after') - 1");

/** The first view that takes all of these entries. */
function viewOf(entries: readonly OwnerEntry[]): View {
  if (entries.every(({ note }) => isUsual(note))) return 'durably_appends';
  const last = entries.length - 1;
  const isEnding = entries.every(({ note }, i) =>
    i === last ? endsRun(note.type) : note.type === 'log:write',
  );
  return isEnding ? 'durably_endings' : 'durably_all_appends';
}

/** Rows of an append, and the view that takes them. */
interface Piece {
  readonly view: View;
  readonly rows: readonly EntryRow[];
}

/**
 * Where statements share a transaction, outcomes of steps and the end of their run go through the two views that are
 * faster. Only the last row has the append's number, so the fence of the second statement is that of the first.
 */
function piecesOf(append: Append, { isBatch }: Pick<Sending, 'isBatch'>): readonly Piece[] {
  const { entries } = append;
  const rows = toRows(append);
  const view = viewOf(entries);
  const [end, before] = [entries.slice(-1), entries.slice(0, -1)];
  const isApart = viewOf(before) === 'durably_appends' && viewOf(end) === 'durably_endings';
  if (!isBatch || view !== 'durably_all_appends' || !isApart) return [{ view, rows }];
  return [
    { view: 'durably_appends', rows: rows.slice(0, -1) },
    { view: 'durably_endings', rows: rows.slice(-1) },
  ];
}

function isUsual({ type, data, signalSeq, child }: OwnerNote): boolean {
  if (type === 'step:start') return data == null && child === undefined;
  if (type === 'step:complete' || type === 'step:fail') return signalSeq === undefined;
  return type === 'log:write' || type === 'run:progress' || type === 'run:emit';
}

/**
 * Which of some appends are stored, by whichever of the statements sent for them. An owner that has put
 * its run to wait has stored all of its appends, and the run may have been claimed again since.
 */
const STORED = `
select r.id as run_id, a.value->>'fence' as fence, a.value->>'number' as append_no
from json_each(?) a cross join durably_runs r
where r.id = a.value->>'runId' and (
  (r.fence = a.value->>'fence' and r.append_count >= a.value->>'number') or r.waited_fence = a.value->>'fence'
)`;

/** Whether a run that is started by the append is in a line. */
export function startsInLine({ entries }: Append): boolean {
  return entries.some(({ note: { child } }) => child !== undefined && isInLine(child));
}

/** One entry of this size is an append of its own. */
const LARGE_CHARS = 256 * 1024;

/** Appends for runs, those of concurrent runs in one statement. */
export const appends: WriteKind<Append, AppendResult> = {
  name: 'append',
  place: PLACES.append,
  sizeOf: ({ entries }) => {
    let chars = 0;
    for (const { note } of entries) {
      chars += (note.data?.length ?? 0) + (note.message?.length ?? 0) + (note.stepName?.length ?? 0);
    }
    return { rows: entries.length, chars };
  },
  compile: (members, { isSentAgain, isBatch }) => {
    // A row that is missing in the answer was refused, or stored by an earlier sending.
    const mayBeStored = isSentAgain || members.some(({ isRepeated }) => isRepeated);
    const parts = sharing(members).map((part) => ({ part, own: toStatements(part, { isBatch }) }));
    const statements = parts.flatMap(({ own }) => own);
    if (mayBeStored) statements.push(askStored(members));
    return {
      statements,
      decode: (answers) => {
        const earlier = new Set((mayBeStored ? answers.at(-1) : [])?.map(identifyStored));
        const results = new Map<Append, AppendResult>();
        let begin = 0;
        for (const { part, own } of parts) {
          const stored = new Set(
            answers
              .slice(begin, begin + own.length)
              .flat()
              .map(identify),
          );
          begin += own.length;
          for (const append of part) {
            const isStored = stored.has(identifyAppend(append)) || earlier.has(identifyLease(append));
            results.set(append, isStored ? 'stored' : 'refused');
          }
        }
        return members.map((append) => results.get(append) ?? 'refused');
      },
    };
  },
};

/**
 * Appends that share statements. A process that took a run over from itself may have two
 * of one run and number, which share none: an answer names run and number, but not the fence.
 */
function sharing(appends: readonly Append[]): (readonly Append[])[] {
  const numbers = new Set(appends.map(identifyAppend));
  return numbers.size < appends.length ? appends.map((append) => [append]) : [appends];
}

/** The statements of an append in a transaction, in which the number before its own was counted. */
export function statementsWithin(append: Append): Sql[] {
  return toStatements([append], { isBatch: true }, APPEND_WITHIN);
}

/** Whether the rows that an append's statements have returned say that it is stored. */
export function isStoredBy(rows: Rows, append: Append): boolean {
  return rows.some((row) => identify(row) === identifyAppend(append));
}

/** One statement for each view. */
function toStatements(
  appends: readonly Append[],
  about: Pick<Sending, 'isBatch'>,
  texts: Readonly<Record<View, string>> = APPEND,
): Sql[] {
  const pieces = appends.flatMap((append) => piecesOf(append, about));
  return VIEWS.flatMap((view) => {
    const rows = pieces.filter((piece) => piece.view === view).flatMap((piece) => piece.rows);
    return rows.length === 0 ? [] : [{ sql: texts[view], parameters: toParameters(rows) }];
  });
}

function askStored(appends: readonly Append[]): Sql {
  const asked = appends.map(({ lease: { runId, fence }, number }) => ({ runId, fence, number }));
  return { kind: 'read', sql: STORED, parameters: [JSON.stringify(asked)] };
}

type EntryRow = ReturnType<typeof toRows>[number];

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
    // A step has no level, so its kind is stored there, unless it is the usual kind.
    level: note.level ?? note.stepKind ?? (note.isTimeOut ? 'timeout' : undefined),
    message: note.message ?? undefined,
    durationMs: note.durationMs == null ? undefined : Math.round(note.durationMs),
    data: note.data ?? undefined,
    signalSeq: note.signalSeq,
    child: note.child && toChild(note.child),
  }));
}

/** As the schema's trigger reads it. */
function toChild(child: ChildStart) {
  const { id, jobName, concurrencyKey, labels, due, priority, ttl, timeout } = child;
  return {
    id,
    jobName,
    concurrencyKey: concurrencyKey ?? undefined,
    labels: labels ?? undefined,
    ...(due !== undefined && 'afterMs' in due ? { afterMs: Math.ceil(due.afterMs) } : due),
    priority,
    ttl: ttl?.text,
    ttlMs: ttl?.ms,
    timeout: timeout?.text,
    timeoutMs: timeout?.ms,
    limitKey: storedLimitKey(child) ?? undefined,
    rateKey: storedRateKey(child) ?? undefined,
    pluginData: child.pluginData,
  };
}

/** A large text travels as a parameter of its own: within JSON it would be escaped, and parsed. */
function toParameters(rows: readonly EntryRow[]): [entries: string, data: string] {
  const [first] = rows;
  if (first?.data === undefined || rows.length > 1 || first.data.length <= LARGE_CHARS) {
    return [JSON.stringify(rows), ''];
  }
  return [JSON.stringify([{ ...first, data: undefined }]), first.data];
}

function identify(row: Readonly<Record<string, unknown>>): string {
  return `${row.run_id} ${row.append_no}`;
}

function identifyAppend({ lease, number }: Append): string {
  return `${lease.runId} ${number}`;
}

function identifyStored({ run_id, fence, append_no }: Readonly<Record<string, unknown>>): string {
  return `${run_id} ${fence} ${append_no}`;
}

function identifyLease({ lease: { runId, fence }, number }: Append): string {
  return `${runId} ${fence} ${number}`;
}
