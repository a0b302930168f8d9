import { NOW_MS } from '../../sql.ts';
import { isFrom } from '../transitions.ts';
import {
  type Candidates,
  claimable,
  LIMIT,
  MAY_BE_CLAIMED,
  MAY_BE_TAKEN,
  RECOVERABLE,
  unpausedJobs,
} from './candidates-sql.ts';

/**
 * How a claim keeps the limits of jobs. A run is in a line if its job has limits by key, or a throttle: the line of its
 * limit key, or else of its throttle's key. `durably_lines` says which lines have pending runs and seem to have room. It is refreshed before
 * each claim. How much room there is, the claim itself counts by the runs, so a line that is out of date delays a run
 * and never breaks a limit. SQLite has one writer: of two claims the second sees the runs of the first.
 *
 * Its additional parameters.
 */
/** A JSON array of [name, limit, perKey, holds, ms between two starts, ms of the throttle, whether the throttle is the whole job's]. */
const LIMITS = '?8';
/** The most runs that one line can give. */
const PER_LINE = '?9';

const UNLIMITED = 1_000_000_000;

/** SQL: the value at a place of a job's limits; null without. */
const limitOf = (job: string, index: number) =>
  `(select l.value->>${index} from json_each(${LIMITS}) l where l.value->>0 = ${job})`;

/** SQL: how many runs hold a place of a job, or of one of its keys. */
export const holdersOf = (job: string, key?: string) => {
  const ofKey = key === undefined ? '' : ` and h.limit_key = ${key}`;
  const running =
    key === undefined
      ? `select count(*) from durably_runs h indexed by durably_runs_by_job where h.job_name = ${job} and h.status = 'running'`
      : `select count(*) from durably_runs h indexed by durably_runs_places
        where h.job_name = ${job} and h.status = 'running' and h.limit_key is not null${ofKey}`;
  return `((${running}) + (
      select count(*) from durably_runs h indexed by durably_runs_held
      where h.holds = 1 and h.job_name = ${job} and h.status in ('waiting', 'pending')${ofKey}
    ))`;
};

/**
 * SQL: how many runs a throttle lets start now. By the generic cell rate algorithm: each start moves `full_at` by the
 * time between two starts, and no start is allowed that would move it beyond now and the time of the throttle. A time
 * beyond that is of another throttle, or from before the clock was set back.
 */
const startsOf = ({
  job,
  key,
  interval,
  per,
}: {
  job: string;
  key: string;
  interval: string;
  per: string;
}) => `coalesce((
    select max(0, cast((${NOW_MS} + ${per} - max(f.full_at, ${NOW_MS})) / ${interval} + 0.000001 as integer))
    from durably_rates f where f.job_name = ${job} and f.key = ${key} and f.full_at <= ${NOW_MS} + ${per} + ${interval}
  ), cast(${per} / ${interval} + 0.000001 as integer))`;

/**
 * Whether a job of the claiming process has a throttle. If none has, nothing is asked about throttles: the statement is
 * shorter, and a third of what most claims within limits cost is the time to prepare it.
 */
interface About {
  readonly hasThrottles: boolean;
}

/** SQL that is needed only where jobs have throttles. */
const ifThrottled = ({ hasThrottles }: About, sql: string) => (hasThrottles ? sql : '');

/** The jobs, their limits, and what these leave for now. */
const jobs = (about: About) => `
jobs as materialized (
  select t.*,
    iif(run_limit is null, ${UNLIMITED}, run_limit - ${holdersOf('t.name')}) as places${ifThrottled(
      about,
      `,
    iif(is_whole = 1, ${startsOf({ job: 't.name', key: "'*'", interval: 't.interval_ms', per: 't.per_ms' })}, ${UNLIMITED}) as starts`,
    )}
  from (
    select j.value as name, l.value->>1 as run_limit, l.value->>2 as per_key${ifThrottled(
      about,
      ', l.value->>4 as interval_ms, l.value->>5 as per_ms, l.value->>6 as is_whole',
    )}
    from (select value from ${unpausedJobs('j')}) j left join json_each(${LIMITS}) l on l.value->>0 = j.value
  ) t
)`;

const openLines = (level: { job: string; isWhole: string }) => `durably_lines o indexed by durably_lines_open
      where o.job_name = ${level.job} and o.is_whole = ${level.isWhole} and o.head_seq is not null and o.opens_at is null`;

/** What a claim needs to know of a job's throttle, as columns. */
const throttleColumns = (about: About, table = '') =>
  ifThrottled(about, ['interval_ms', 'per_ms', 'starts'].map((name) => `${table}${name}, `).join(''));

/** How many runs have places in the lines that have room, from few to many. Each value is found by one look at the index. */
const levels = (about: About) => `
levels(name, per_key, ${throttleColumns(about)}is_whole, active) as (
  select j.name, j.per_key, ${throttleColumns(about, 'j.')}w.value, (
    select min(o.active) from ${openLines({ job: 'j.name', isWhole: 'w.value' })}
  )
  from jobs j cross join json_each('[0,1]') w
  where j.places > 0${ifThrottled(about, ' and (w.value = 0 or j.starts > 0)')}
  union all
  select name, per_key, ${throttleColumns(about)}is_whole, (
    select min(o.active) from ${openLines({ job: 'levels.name', isWhole: 'levels.is_whole' })} and o.active > levels.active
  )
  from levels where active is not null and (per_key is null or active + 1 < per_key)
)`;

/** SQL: how many runs the throttle of a pending run lets start. @param job a row with the limits of its job */
const startsOfRun = (run: string, job: string) => `case
      when ${run}.claim_kind <> 'start' or ${run}.rate_key is null or ${job}.interval_ms is null then ${UNLIMITED}
      when ${run}.rate_key = '*' then ${job}.starts
      else ${startsOf({ job: `${run}.job_name`, key: `${run}.rate_key`, interval: `${job}.interval_ms`, per: `${job}.per_ms` })}
    end`;

/** The pending runs of the line `o` whose turn it is at their key, and which their throttle lets start. @param job a row with the limits of its job */
const runsOfLine = (about: About, columns: string, job: string) => `
      select ${columns} from durably_runs p indexed by durably_runs_first_in_line
      where ${isFrom('claim', 'p')} and p.key_turn = 3 and p.job_name = o.job_name
        and p.limit_key is nullif(o.limit_key, '')
        and iif(p.limit_key is null, p.rate_key, null) is nullif(o.rate_key, '')${ifThrottled(
          about,
          `
        and ${startsOfRun('p', job)} > 0`,
        )}
        and ${MAY_BE_CLAIMED}`;

const PLACES_OF_LINE = `iif(v.per_key is null or o.limit_key = '', ${UNLIMITED}, v.per_key - ${holdersOf('o.job_name', 'o.limit_key')})`;

/** The first lines of each job with room and a run that can be claimed. */
const open = (about: About) => `
open as materialized (
  select * from (
    select o.id, o.job_name, o.limit_key, o.rate_key, ${throttleColumns(about, 'v.')}${PLACES_OF_LINE} as places,
      row_number() over (partition by o.job_name order by o.head_priority desc, o.head_seq) as nth_of_job
    from levels v cross join durably_lines o
    where v.active is not null and (v.per_key is null or v.active < v.per_key) and o.id in (
      select o.id from ${openLines({ job: 'v.name', isWhole: 'v.is_whole' })} and o.active = v.active
        and exists (${runsOfLine(about, '1', 'v')})
      order by o.head_priority desc, o.head_seq
      limit ${LIMIT}
    )
  ) where nth_of_job <= ${LIMIT}
)`;

/** SQL: the place of a run among those of its partition. */
const nth = (partition: string) =>
  `row_number() over (partition by ${partition} order by priority desc, seq)`;

/** The first runs of those lines, as many as their keys leave room for. */
const lined = (about: About) => {
  const placed = `
      select *, ${nth('job_name, limit_key')} as nth_place from (
        select r.seq, r.priority, o.job_name, o.limit_key, o.places${ifThrottled(
          about,
          `,
          iif(r.claim_kind = 'start', r.rate_key, null) as rate_key, ${startsOfRun('r', 'o')} as starts`,
        )}
        from open o cross join durably_runs r where r.seq in (${runsOfLine(about, 'p.seq', 'o')}
          order by p.priority desc, p.seq
          limit ${PER_LINE})
      )
    ) where nth_place <= places or limit_key = ''`;
  if (!about.hasThrottles) {
    return `
lined as (
  select seq, priority, job_name from (${placed}
)`;
  }
  return `
lined as (
  select seq, priority, job_name from (
    select *, ${nth('job_name, rate_key')} as nth_start from (${placed}
  ) where nth_start <= starts or rate_key is null
)`;
};

/** Runs that are in no line. One that starts counts for the throttle of its whole job, which it may be older than. */
const unlined = ({ hasThrottles }: About) => {
  const from = `from jobs j cross join durably_runs r
      where j.places > 0 and r.seq in (${claimable({ job: 'j.name', limit: LIMIT, condition: 'p.holds = 0' })})`;
  if (!hasThrottles) {
    return `
unlined as (
      select r.seq, r.priority, r.job_name ${from}
)`;
  }
  return `
unlined as (
  select seq, priority, job_name from (
    select *, ${nth('job_name, is_start')} as nth_start from (
      select r.seq, r.priority, r.job_name, r.claim_kind = 'start' as is_start, j.starts
      ${from}
    )
  ) where nth_start <= starts or not is_start
)`;
};

/** Runs that kept their places while they waited. */
const HOLDERS = `
select r.seq, r.priority from jobs j cross join durably_runs r
where r.seq in (
  select p.seq from durably_runs p indexed by durably_runs_held
  where p.holds = 1 and p.job_name = j.name and ${isFrom('claim', 'p')} and ${MAY_BE_TAKEN}
  order by p.priority desc, p.seq limit ${LIMIT}
)`;

/** The runs that may be taken within the limits: higher priorities first, then the order of insertion. */
export const limitedCandidates = (about: About): Candidates => ({
  ctes: `with recursive ${[jobs, levels, open, lined, unlined].map((part) => part(about)).join(',')},
within as (
  select *, ${nth('job_name')} as nth_of_job from (select * from lined union all select * from unlined)
)`,
  select: (limit) => `
select c.seq from (
  select n.seq, n.priority from within n cross join jobs j on j.name = n.job_name
  where n.nth_of_job <= j.places
  union all ${HOLDERS}
  union all ${RECOVERABLE}
  order by 2 desc, 1
  limit ${limit}
) c`,
});

/** What a claim sets besides, for the limits of the run's job. @param isLost SQL: the run is taken over @param fails SQL: it is not started */
export const limitColumns = (
  { hasThrottles }: About,
  { isLost, fails }: { isLost: string; fails: string },
) => {
  const holds = `coalesce(${limitOf('job_name', 3)}, 0)`;
  const starts = `claim_kind = 'start' and holds = 0 and not (${isLost}) and not coalesce(${fails}, 0)
    and (rate_key is not null or ${limitOf('job_name', 6)} = 1)`;
  const rates = hasThrottles
    ? `
  rate_interval_ms = iif(${starts}, ${limitOf('job_name', 4)}, null),
  rate_per_ms = iif(${starts}, ${limitOf('job_name', 5)}, null),`
    : '';
  // `key_turn` is for when it is pending again: it goes on then, and passes no throttle.
  return `
  holds = iif(${fails}, 0, ${holds}),
  key_turn = (key_turn & 1) | iif(limit_key is not null and ${holds} = 0, 2, 0),${rates}`;
};
