import type { CompiledQuery, Kysely } from 'kysely';
import { toIsoTime } from '../core/clock.ts';
import type { ErrorDetail } from '../core/error-detail.ts';
import { decodeJson } from '../core/json.ts';
import { isTerminal, RUN_STATUSES, type Run, type RunQuery, type RunStatus } from '../core/run.ts';
import type { LogLine, Step } from '../core/step.ts';
import type { CompletedStep, LogPage } from '../core/store.ts';
import type { Connection } from './connection.ts';
import { type PackedRunRow, packedRun, RUN_COLUMNS, toRun, unpackRun } from './rows.ts';
import type { Schema } from './schema.ts';

/** Each probe of an arm is about 0.1 ms of SQLite's preparing. */
const MAX_PROBES = 100;

export async function getRun(connection: Connection, runId: string): Promise<Run | null> {
  const [row] = await connection.query(
    connection.db.selectFrom('durably_runs').select(RUN_COLUMNS).where('id', '=', runId).compile(),
  );
  return row ? toRun(row) : null;
}

export async function getRuns(connection: Connection, filter: RunQuery): Promise<Run[]> {
  const rows = await connection.query(compiledList(connection, filter));
  return rows.map((row) => toRun(unpackRun(row)));
}

const MAX_COMPILED = 100;
const compiledLists = new WeakMap<Connection, Map<string, CompiledQuery<PackedRunRow>>>();

/** Whoever shows a list asks for it again and again: the latest ones are compiled once. */
function compiledList(connection: Connection, filter: RunQuery): CompiledQuery<PackedRunRow> {
  const compiled = compiledLists.get(connection) ?? new Map<string, CompiledQuery<PackedRunRow>>();
  compiledLists.set(connection, compiled);
  const key = JSON.stringify(filter);
  const list = compiled.get(key) ?? listRuns(connection.db, filter).compile();
  // At the end of the map's order is what was asked for last.
  compiled.delete(key);
  compiled.set(key, list);
  for (const oldest of compiled.keys()) {
    if (compiled.size <= MAX_COMPILED) break;
    compiled.delete(oldest);
  }
  return list;
}

/**
 * Newest first. Each value of a filter is an arm of its own, read in order from
 * an index; SQLite merges the arms as far as the page reaches, so neither a
 * sort of all matches nor a scan is needed, however many runs there are.
 */
function listRuns(db: Kysely<Schema>, query: RunQuery) {
  const page = goesByLabel(query) ? labelledPage(db, query) : filteredPage(db, query);
  return db.selectFrom('durably_runs').select(packedRun).where('seq', 'in', page).orderBy('seq', 'desc');
}

/** A label may have a long history; what is pending or running is soon looked through. */
function goesByLabel({ labels, jobNames, statuses }: RunQuery): boolean {
  const onlyActive = statuses.length > 0 && !statuses.some(isTerminal);
  const probes = Math.max(1, jobNames.length) * statuses.length * labels.length;
  return labels.length > 0 && (!onlyActive || probes > MAX_PROBES);
}

function filteredPage(db: Kysely<Schema>, query: RunQuery) {
  const arms = filterArms(query).map(({ jobName, status }) => {
    // Any seq is above 0; that says to SQLite that it is to be read by the key.
    let arm = db.selectFrom('durably_runs').select('seq').where('seq', '>', 0);
    if (jobName !== undefined) arm = arm.where('job_name', '=', jobName);
    if (status !== undefined) arm = arm.where('status', '=', status);
    for (const [key, value] of query.labels) {
      arm = arm.where(({ exists, selectFrom }) =>
        exists(
          selectFrom('durably_labels as o')
            .select('o.run_seq')
            .where('o.key', '=', key)
            .where('o.value', '=', value)
            .whereRef('o.run_seq', '=', 'durably_runs.seq'),
        ),
      );
    }
    return arm;
  });
  const [first, ...others] = arms;
  if (!first) throw new Error('a filter has at least one arm');
  return others
    .reduce((union, arm) => union.unionAll(arm), first)
    .orderBy('seq', 'desc')
    .limit(query.limit)
    .offset(query.offset);
}

/**
 * The runs of the first label, in order from its index; whatever else is asked
 * of each is one probe by key. So a filter costs by what bears its first label,
 * not by the runs that are none of its business.
 */
function labelledPage(db: Kysely<Schema>, { labels, jobNames, statuses, limit, offset }: RunQuery) {
  const [[key, value] = ['', ''], ...others] = labels;
  let page = db
    .selectFrom('durably_labels as l')
    .select('l.run_seq as seq')
    .where('l.key', '=', key)
    .where('l.value', '=', value)
    .orderBy('l.run_seq', 'desc')
    .limit(limit)
    .offset(offset);
  for (const [otherKey, otherValue] of others) {
    page = page.where(({ exists, selectFrom }) =>
      exists(
        selectFrom('durably_labels as o')
          .select('o.run_seq')
          .where('o.key', '=', otherKey)
          .where('o.value', '=', otherValue)
          .whereRef('o.run_seq', '=', 'l.run_seq'),
      ),
    );
  }
  if (jobNames.length === 0 && statuses.length === 0) return page;
  return page.where(({ exists, selectFrom }) => {
    let run = selectFrom('durably_runs as r').select('r.seq').whereRef('r.seq', '=', 'l.run_seq');
    if (jobNames.length > 0) run = run.where('r.job_name', 'in', jobNames);
    if (statuses.length > 0) run = run.where('r.status', 'in', statuses);
    return exists(run);
  });
}

interface FilterArm {
  readonly jobName?: string;
  readonly status?: RunStatus;
}

function filterArms({ jobNames, statuses }: Pick<RunQuery, 'jobNames' | 'statuses'>): FilterArm[] {
  if (jobNames.length === 0) {
    return statuses.length === 0 ? [{}] : statuses.map((status) => ({ status }));
  }
  // The index by job is ordered within one status: a job alone takes an arm for each.
  const each = statuses.length === 0 ? RUN_STATUSES : statuses;
  return jobNames.flatMap((jobName) => each.map((status) => ({ jobName, status })));
}

export async function getSteps(connection: Connection, runId: string): Promise<Step[]> {
  const rows = await connection.query(
    connection.db
      .selectFrom('durably_steps as s')
      .innerJoin('durably_journal as j', 'j.sequence', 's.sequence')
      .select(['s.name', 's.step_index', 's.status', 'j.data', 'j.message', 'j.created_at', 'j.duration_ms'])
      .where('s.run_id', '=', runId)
      .orderBy('s.step_index')
      .compile(),
  );
  return rows.map((row) => ({
    name: row.name,
    index: row.step_index,
    status: row.status,
    output: row.status === 'completed' ? (decodeJson(row.data) ?? null) : null,
    error: row.message,
    errorDetail: row.status === 'failed' ? ((decodeJson(row.data) ?? null) as ErrorDetail | null) : null,
    startedAt: toIsoTime(row.created_at - (row.duration_ms ?? 0)),
    completedAt: toIsoTime(row.created_at),
  }));
}

export async function getCompletedSteps(connection: Connection, runId: string): Promise<CompletedStep[]> {
  return await connection.query(
    connection.db
      .selectFrom('durably_steps as s')
      .innerJoin('durably_journal as j', 'j.sequence', 's.sequence')
      .select(['s.name', 'j.data as output'])
      .where('s.run_id', '=', runId)
      .where('s.status', '=', 'completed')
      .compile(),
  );
}

export async function getLogs(
  connection: Connection,
  { runId, level, after, limit }: LogPage,
): Promise<LogLine[]> {
  let lines = connection.db
    .selectFrom('durably_journal')
    .select(['sequence', 'step_name', 'level', 'message', 'data', 'created_at'])
    .where('run_id', '=', runId)
    .where('type', '=', 'log:write')
    .where('sequence', '>', after);
  if (level !== null) lines = lines.where('level', '=', level);
  const rows = await connection.query(lines.orderBy('sequence').limit(limit).compile());
  return rows.map((row) => ({
    sequence: row.sequence,
    stepName: row.step_name,
    level: row.level ?? 'info',
    message: row.message ?? '',
    data: decodeJson(row.data) ?? null,
    createdAt: toIsoTime(row.created_at),
  }));
}
