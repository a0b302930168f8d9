import { NOW_MS } from '../../sql.ts';
import { isFrom } from '../transitions.ts';
import { holdersOf } from './limits-sql.ts';

/** How many lines are refreshed at once, because other writes wait meanwhile. */
export const MAX_REFRESHED = 1000;

/** SQL: when the throttle that all runs of the line `o` pass opens, if it is closed now. ?2 the limits. */
const OPENS_AT = `(
    select ceil(f.full_at - (l.value->>5) + (l.value->>4)) from durably_rates f, json_each(?2) l
    where o.common_rate is not null and o.common_rate <> '*' and f.job_name = o.job_name and f.key = o.common_rate
      and l.value->>0 = o.job_name and l.value->>4 is not null
      and f.full_at - (l.value->>5) + (l.value->>4) > ${NOW_MS}
      and f.full_at <= ${NOW_MS} + (l.value->>5) + (l.value->>4)
  )`;

/**
 * Brings stale lines up to date. Opens the lines whose throttle has opened or was changed. A trigger removes lines without a
 * pending run. Its parameters are the names of the jobs, and their limits as a claim is given them.
 */
export const REFRESH_LINES = `
update durably_lines as o set
  is_stale = 0,
  active = iif(limit_key = '', 0, ${holdersOf('o.job_name', 'o.limit_key')}),
  opens_at = ${OPENS_AT},
  (head_priority, head_seq) = (
    select p.priority, p.seq from durably_runs p indexed by durably_runs_in_line
    where ${isFrom('claim', 'p')} and p.key_turn >= 2 and p.job_name = o.job_name
      and p.limit_key is nullif(o.limit_key, '')
      and iif(p.limit_key is null, p.rate_key, null) is nullif(o.rate_key, '')
    order by p.priority desc, p.seq limit 1
  )
where id in (
  select id from (
    select id from durably_lines indexed by durably_lines_stale
    where is_stale = 1 and job_name in (select value from json_each(?1)) limit ${MAX_REFRESHED}
  )
  union
  select id from (
    select c.id from json_each(?1) j cross join durably_lines c indexed by durably_lines_closed
    where c.opens_at is not null and c.job_name = j.value and c.opens_at <= ${NOW_MS} limit ${MAX_REFRESHED}
  )
  union
  select id from (
    select c.id from json_each(?1) j left join json_each(?2) l on l.value->>0 = j.value
      cross join durably_lines c indexed by durably_lines_closed
    where c.opens_at is not null and c.job_name = j.value
      and c.opens_at > ${NOW_MS} + coalesce((l.value->>5) + (l.value->>4), 0) limit ${MAX_REFRESHED}
  )
)
returning 1 as refreshed`;
