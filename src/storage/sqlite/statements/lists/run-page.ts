import { type CompiledQuery, type Expression, type Kysely, type RawBuilder, sql } from 'kysely';
import type { RunQuery } from '../../../../core/lists/run-query.ts';
import { isTerminal, RUN_STATUSES, type RunStatus } from '../../../../core/run.ts';
import type { Schema } from '../../schema.ts';
import { type CompiledRow, listedColumns } from '../rows.ts';
import { scheduledPlaces } from '../schedules/scheduled-places.ts';
import { isShown, isWithin, wasCreated, withBounds } from './created.ts';
import { hasLabel } from './labels.ts';
import { type PlacesOf, searchedPlaces } from './search.ts';

/** SQLite takes about 0.1 ms to prepare each probe of an arm. */
const MAX_PROBES = 100;

/**
 * Newest first. Each value of a filter becomes an arm that reads an index in order. SQLite merges
 * the arms only as far as the page needs, so it neither sorts all matches nor scans, however many
 * runs there are.
 */
/** What is read of each run: its fields, its place, or its id and job. */
export type PageReads = 'rows' | keyof typeof COLUMNS;

const COLUMNS = { places: 'seq', names: 'id, job_name' } as const;

export function compile(db: Kysely<Schema>, query: RunQuery, reads: PageReads): CompiledQuery<CompiledRow> {
  const columns = sql.raw(reads === 'rows' ? listedColumns(query.fields) : COLUMNS[reads]);
  const ofPlaces = (places: Expression<unknown>) =>
    sql<CompiledRow>`select ${columns} from durably_runs where seq in ${places} order by seq desc`;
  return sql<CompiledRow>`${withBounds(query)}${pageOf(db, query, { columns, ofPlaces })}`.compile(db);
}

function pageOf(db: Kysely<Schema>, query: RunQuery, parts: PageParts): RawBuilder<CompiledRow> {
  if (query.q !== null) {
    const placesOf: PlacesOf = (rest) =>
      pageOf(
        db,
        { ...rest, q: null },
        {
          columns: sql.raw('seq'),
          ofPlaces: (places) => sql`select seq from durably_runs where seq in ${places}`,
        },
      );
    return parts.ofPlaces(searchedPlaces(query, query.q, placesOf));
  }
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
  const conditions = commonConditions(query);
  if (jobName !== undefined) conditions.push(sql`job_name = ${jobName}`);
  if (status !== undefined) conditions.push(sql`status = ${status}`);
  return sql.join(conditions, sql` and `);
}

function commonConditions(query: RunQuery): RawBuilder<unknown>[] {
  const { labels, jobNames } = query;
  return [
    ...(jobNames.length === 0 ? [isShown(sql.ref('durably_runs.job_name'))] : []),
    isWithin(query, sql.ref('durably_runs.seq')),
    ...wasCreated(query, sql.ref('durably_runs.created_at')),
    ...labels.map((label) => hasLabel(label, sql.ref('durably_runs.seq'))),
  ];
}

/**
 * The runs of the first label, in order from its index. Every other condition is one
 * probe by key for each of them, so the cost depends on the runs with the first label
 * and not on all runs.
 */
function labelledPage(db: Kysely<Schema>, query: RunQuery) {
  const { labels, jobNames, statuses, limit, offset } = query;
  const [[key, value] = ['', ''], ...others] = labels;
  let page = db
    .selectFrom('durably_labels as l')
    .select('l.run_seq as seq')
    .where('l.key', '=', key)
    .where('l.value', '=', value)
    .orderBy('l.run_seq', 'desc')
    .limit(limit)
    .offset(offset);
  page = page.where(isWithin(query, sql.ref('l.run_seq')));
  for (const label of others) page = page.where(hasLabel(label, sql.ref('l.run_seq')));
  const created = wasCreated(query, sql.ref('r.created_at'));
  if (jobNames.length === 0 && statuses.length === 0 && created.length === 0) return page;
  return page.where(({ exists, selectFrom }) => {
    let run = selectFrom('durably_runs as r').select('r.seq').whereRef('r.seq', '=', 'l.run_seq');
    if (jobNames.length > 0) run = run.where('r.job_name', 'in', jobNames);
    if (statuses.length > 0) run = run.where('r.status', 'in', statuses);
    for (const condition of created) run = run.where(condition);
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
