import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { SEAL_MARK } from '../../../../core/json/sealed.ts';
import type { RunQuery } from '../../../../core/lists/run-query.ts';
import { isShown, isWithin, wasCreated } from './created.ts';
import { hasLabel } from './labels.ts';

/** How many runs' inputs are searched, and how many ids that begin with a text are found: the newest ones. */
const MAX_SEARCHED = 10_000;
/** The inputs that are searched have no more bytes together. The newest one may have more. */
const MAX_SEARCHED_BYTES = 32 * 1024 * 1024;

/** After every text that begins with another one. */
const LAST_CHARACTER = '\u{10ffff}';

/** SQL: the idempotency key without its scope. SQLite compares this text with the index in the schema. */
const BARE_KEY = sql.raw(`iif(
    r.idempotency_key < char(31) or r.idempotency_key >= char(32), r.idempotency_key,
    substr(r.idempotency_key, 2 + instr(substr(r.idempotency_key, 2), char(31)))
  )`);

/** SQL: the places of the runs that match a filter without a text to search for, newest first. */
export type PlacesOf = (query: RunQuery) => RawBuilder<unknown>;

/**
 * SQL: the places of a page of the runs in which a text is found. Each part reads an index in the order of the list, and no
 * further than the page needs, except that ids and inputs have bounds of their own.
 */
export function searchedPlaces(query: RunQuery, text: string, placesOf: PlacesOf): RawBuilder<unknown> {
  const { limit, offset, jobNames } = query;
  const page = sql`limit ${limit + offset}`;
  const rest = sql.join(conditionsOf(query), sql` and `);
  const parts = [
    sql`select r.seq from durably_runs r where ${rest} and r.seq in (
      select i.seq from durably_runs i where i.id >= ${text} and i.id < ${text + LAST_CHARACTER}
      order by i.id desc limit ${MAX_SEARCHED}
    ) order by r.seq desc ${page}`,
    sql`select r.seq from durably_runs r indexed by durably_runs_by_idempotency_key
      where ${BARE_KEY} = ${text} and r.idempotency_key is not null and ${rest} order by r.seq desc ${page}`,
    sql`select r.seq from durably_runs r indexed by durably_runs_by_concurrency_key
      where r.concurrency_key = ${text} and ${rest} order by r.seq desc ${page}`,
    sql`select distinct l.run_seq as seq from durably_labels l indexed by durably_labels_by_value
      cross join durably_runs r on r.seq = l.run_seq
      where l.value = ${text} and ${isWithin(query, sql.ref('l.run_seq'))} and ${rest}
      order by l.run_seq desc ${page}`,
    inputsWith(query, text, placesOf),
  ];
  if (jobNames.length === 0 || jobNames.includes(text)) {
    parts.push(placesOf({ ...query, jobNames: [text], limit: limit + offset, offset: 0 }));
  }
  const found = parts.map((part) => sql`select seq from (${part})`);
  return sql`(select seq from (${sql.join(found, sql` union `)}) order by seq desc limit ${limit} offset ${offset})`;
}

/** Counted from the newest run and not from the cursor, so that all pages of a list search the same runs. */
function inputsWith(query: RunQuery, text: string, placesOf: PlacesOf): RawBuilder<unknown> {
  const searched = placesOf({ ...query, before: null, limit: MAX_SEARCHED, offset: 0 });
  const spellings = [...new Set([text, JSON.stringify(text).slice(1, -1)])];
  // What a plugin has encoded may hold any text by chance.
  const isReadable = sql`r.payload not like ${patternOf(SEAL_MARK).slice(1)} escape '\\'`;
  const contains = spellings.map((spelling) => sql`r.payload like ${patternOf(spelling)} escape '\\'`);
  return sql`select r.seq from (
      select p.seq, p.bytes, sum(p.bytes) over (order by p.seq desc rows unbounded preceding) as total
      from (
        select s.seq, octet_length(o.payload) as bytes
        from (${searched}) s cross join durably_runs o on o.seq = s.seq
      ) p
    ) t cross join durably_runs r on r.seq = t.seq
    where (t.total <= ${MAX_SEARCHED_BYTES} or t.total = t.bytes)
      and ${isWithin(query, sql.ref('t.seq'))} and (${sql.join(contains, sql` or `)}) and ${isReadable}
    order by t.seq desc limit ${query.limit + query.offset}`;
}

function patternOf(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`;
}

/** SQL: whether the run `r` matches the rest of a filter. */
function conditionsOf(query: RunQuery): RawBuilder<SqlBool>[] {
  const { jobNames, statuses, parentRunId, scheduleId, labels } = query;
  const conditions = [
    isWithin(query, sql.ref('r.seq')),
    ...wasCreated(query, sql.ref('r.created_at')),
    ...labels.map((label) => hasLabel(label, sql.ref('r.seq'))),
  ];
  // The plus keeps SQLite from reading by these instead of by the text.
  conditions.push(
    jobNames.length > 0 ? sql`+r.job_name in (${sql.join(jobNames)})` : isShown(sql.ref('r.job_name')),
  );
  if (statuses.length > 0) conditions.push(sql`+r.status in (${sql.join(statuses)})`);
  if (parentRunId !== null) conditions.push(sql`+r.parent_run_id = ${parentRunId}`);
  if (scheduleId !== null) conditions.push(sql`+r.schedule_id = ${scheduleId}`);
  return conditions;
}
