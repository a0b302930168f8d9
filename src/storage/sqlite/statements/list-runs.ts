import { type CompiledQuery, type Expression, type Kysely, type RawBuilder, type SqlBool, sql } from 'kysely';
import {
  isTerminal,
  RUN_STATUSES,
  type RunField,
  type RunQuery,
  type RunStatus,
  type StoredRun,
} from '../../../core/run.ts';
import type { Freshness, Portions, StoredRunPage } from '../../../core/store.ts';
import type { Connection } from '../connection/connection.ts';
import type { Schema } from '../schema.ts';
import { readExisting } from './current-reads.ts';
import { type CutRow, inPortions, keepPortion, type Listed, PAGE_ROWS } from './portions.ts';
import {
  type ListedRunRow,
  listedColumns,
  type RunRow,
  selectFields,
  toListedRun,
  toRun,
  wholeColumns,
} from './rows.ts';
import { scheduledPlaces } from './schedules/scheduled-places.ts';

/** SQLite takes about 0.1 ms to prepare each probe of an arm. */
const MAX_PROBES = 100;

/** A page of runs. Its rows are read in portions. The first statement reads a short page whole. */
export async function listRuns(connection: Connection, query: RunQuery): Promise<StoredRunPage> {
  if (query.limit <= PAGE_ROWS) {
    const page = toPage(await connection.query(compiled(connection, query, 'rows')));
    return {
      next: nextOf(query, page.at(-1)?.key, page.length),
      portions: portionsOf(connection, query, page),
    };
  }
  const places = (await connection.query(compiled(connection, query, 'places'))).flatMap(
    ({ seq }) => seq ?? [],
  );
  return {
    next: nextOf(query, places.at(-1), places.length),
    portions: readPlaces(connection, query, places),
  };
}

function nextOf({ limit }: RunQuery, last: number | undefined, length: number): number | null {
  return last !== undefined && length === limit ? last : null;
}

async function* readPlaces(
  connection: Connection,
  query: RunQuery,
  places: readonly number[],
): AsyncGenerator<readonly Partial<StoredRun>[]> {
  for (let i = 0; i < places.length; i += PAGE_ROWS) {
    yield* portionsOf(connection, query, await readPage(connection, query, places.slice(i, i + PAGE_ROWS)));
  }
}

/** A separate function, because a generator would keep the rows for as long as its reader takes. */
async function readPage(
  connection: Connection,
  { fields }: RunQuery,
  places: readonly number[],
): Promise<Listed<StoredRun>[]> {
  const statement = {
    sql: `select ${listedColumns(fields)} from durably_runs
      where seq in (select value from json_each(?)) order by seq desc`,
    parameters: [JSON.stringify(places)],
  };
  const rows = await readExisting<ListedRunRow>(connection, statement, { count: places.length });
  return toPage(rows);
}

function toPage(rows: readonly ListedRunRow[]): Listed<StoredRun>[] {
  return keepPortion(rows.map(toListedRun), () => undefined);
}

function portionsOf(
  connection: Connection,
  { fields }: RunQuery,
  page: Listed<StoredRun>[],
): Portions<Partial<StoredRun>> {
  const portions = inPortions(page, (cut) => readWholeRuns(connection, fields, cut));
  if (fields === null) return portions;
  return selected(portions, fields);
}

async function* selected(
  portions: AsyncIterable<readonly StoredRun[]>,
  fields: readonly RunField[],
): AsyncGenerator<readonly Partial<StoredRun>[]> {
  for await (const portion of portions) yield portion.map((run) => selectFields(run, fields));
}

/** Reads runs by their keys, whose large values a page left out. */
export async function readWholeRuns(
  connection: Connection,
  fields: readonly RunField[] | null,
  listed: readonly CutRow<unknown>[],
  asOf?: Freshness,
): Promise<Map<number, StoredRun>> {
  const statement = {
    sql: `select ${wholeColumns(fields)} from durably_runs where seq in (select value from json_each(?))`,
    parameters: [JSON.stringify(listed.map(({ key }) => key))],
  };
  const rows = await readExisting<RunRow & { seq: number }>(connection, statement, {
    count: listed.length,
    asOf,
  });
  return new Map(rows.map((row) => [row.seq, toRun(row)]));
}

/** A row of a list, or only its place. */
type CompiledRow = ListedRunRow & { readonly seq?: number };

const MAX_COMPILED = 100;
const compiledLists = new WeakMap<Connection, Map<string, CompiledQuery<CompiledRow>>>();

/** Dashboards repeat the same lists, so the latest queries are kept compiled. */
function compiled(
  connection: Connection,
  query: RunQuery,
  reads: 'rows' | 'places',
): CompiledQuery<CompiledRow> {
  const lists = compiledLists.get(connection) ?? new Map<string, CompiledQuery<CompiledRow>>();
  compiledLists.set(connection, lists);
  const key = JSON.stringify([reads, query]);
  const list = lists.get(key) ?? compile(connection.db, query, reads);
  // Moves the query to the end of the map, which is in order of use.
  lists.delete(key);
  lists.set(key, list);
  for (const oldest of lists.keys()) {
    if (lists.size <= MAX_COMPILED) break;
    lists.delete(oldest);
  }
  return list;
}

/**
 * Newest first. Each value of a filter becomes an arm that reads an index in order. SQLite merges
 * the arms only as far as the page needs, so it neither sorts all matches nor scans, however many
 * runs there are.
 */
function compile(db: Kysely<Schema>, query: RunQuery, reads: 'rows' | 'places'): CompiledQuery<CompiledRow> {
  const columns = sql.raw(reads === 'places' ? 'seq' : listedColumns(query.fields));
  const ofPlaces = (places: Expression<unknown>) =>
    sql<CompiledRow>`select ${columns} from durably_runs where seq in ${places} order by seq desc`;
  return pageOf(db, query, { columns, ofPlaces }).compile(db);
}

function pageOf(db: Kysely<Schema>, query: RunQuery, parts: PageParts): RawBuilder<CompiledRow> {
  if (query.parentRunId !== null) return childrenPage(query, query.parentRunId, parts);
  if (query.scheduleId !== null) {
    return parts.ofPlaces(scheduledPlaces(query, query.scheduleId, commonConditions(query)));
  }
  if (goesByLabel(query)) return parts.ofPlaces(labelledPage(db, query));
  return filteredPage(query, parts);
}

/** The runs that a run triggered, in order from their index. Every other condition is tried on each of them. */
function childrenPage(query: RunQuery, parentRunId: string, { columns }: PageParts): RawBuilder<CompiledRow> {
  const conditions = [sql`parent_run_id = ${parentRunId}`, ...commonConditions(query)];
  const { jobNames, statuses, limit, offset } = query;
  if (query.scheduleId !== null) conditions.push(sql`schedule_id = ${query.scheduleId}`);
  if (jobNames.length > 0) conditions.push(sql`job_name in (${sql.join(jobNames)})`);
  if (statuses.length > 0) conditions.push(sql`status in (${sql.join(statuses)})`);
  return sql`select ${columns} from durably_runs indexed by durably_runs_by_parent
    where ${sql.join(conditions, sql` and `)} order by seq desc limit ${limit} offset ${offset}`;
}

/** A label may belong to many ended runs, but only few runs are pending or running. */
function goesByLabel({ labels, jobNames, statuses }: RunQuery): boolean {
  const onlyActive =
    statuses.length > 0 && !statuses.some((status) => isTerminal(status) || status === 'waiting');
  const probes = Math.max(1, jobNames.length) * statuses.length * labels.length;
  return labels.length > 0 && (!onlyActive || probes > MAX_PROBES);
}

interface PageParts {
  readonly columns: RawBuilder<unknown>;
  /** The rows of a page whose places are known. */
  readonly ofPlaces: (places: Expression<unknown>) => RawBuilder<CompiledRow>;
}

function filteredPage(query: RunQuery, { columns, ofPlaces }: PageParts): RawBuilder<CompiledRow> {
  const page = sql`order by seq desc limit ${query.limit} offset ${query.offset}`;
  const [first, ...others] = filterArms(query).map((arm) => armCondition(query, arm));
  if (!first) throw new Error('a filter has at least one arm');
  if (others.length === 0) return sql`select ${columns} from durably_runs where ${first} ${page}`;
  const arms = [first, ...others].map((condition) => sql`select seq from durably_runs where ${condition}`);
  return ofPlaces(sql`(${sql.join(arms, sql` union all `)} ${page})`);
}

function armCondition(query: RunQuery, { jobName, status }: FilterArm): RawBuilder<unknown> {
  // The first is always true. It makes SQLite read by the key.
  const conditions = [sql`seq > 0`, ...commonConditions(query)];
  if (jobName !== undefined) conditions.push(sql`job_name = ${jobName}`);
  if (status !== undefined) conditions.push(sql`status = ${status}`);
  return sql.join(conditions, sql` and `);
}

function commonConditions({ before, labels }: RunQuery): RawBuilder<unknown>[] {
  const later = before === null ? [] : [sql`seq < ${before}`];
  return [...later, ...labels.map((label) => hasLabel(label, sql.ref('durably_runs.seq')))];
}

/** SQL: whether a run has a label. It is one lookup by key. */
function hasLabel(
  [key, value]: RunQuery['labels'][number],
  runSeq: RawBuilder<unknown>,
): RawBuilder<SqlBool> {
  return sql<SqlBool>`exists (
    select 1 from durably_labels as o where o.key = ${key} and o.value = ${value} and o.run_seq = ${runSeq}
  )`;
}

/**
 * The runs of the first label, in order from its index. Every other condition is one
 * probe by key for each of them, so the cost depends on the runs with the first label
 * and not on all runs.
 */
function labelledPage(db: Kysely<Schema>, { labels, jobNames, statuses, limit, offset, before }: RunQuery) {
  const [[key, value] = ['', ''], ...others] = labels;
  let page = db
    .selectFrom('durably_labels as l')
    .select('l.run_seq as seq')
    .where('l.key', '=', key)
    .where('l.value', '=', value)
    .orderBy('l.run_seq', 'desc')
    .limit(limit)
    .offset(offset);
  if (before !== null) page = page.where('l.run_seq', '<', before);
  for (const label of others) page = page.where(hasLabel(label, sql.ref('l.run_seq')));
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
  // The index by job is ordered within one status, so a job without a status needs an arm for each status.
  const each = statuses.length === 0 ? RUN_STATUSES : statuses;
  return jobNames.flatMap((jobName) => each.map((status) => ({ jobName, status })));
}
