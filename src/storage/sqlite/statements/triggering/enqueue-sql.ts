import { NOW_MS } from '../../sql.ts';
import { listedColumns } from '../rows.ts';
import { statusAfter } from '../transitions.ts';

/**
 * ?1 is the list of runs, each a list in the order of `toValues`. ?2 is the payload of the one
 * run whose payload is not in ?1. If an id exists already, it is the same run, sent again because
 * its answer was lost.
 */
const BASE_COLUMNS = 'id, job_name, payload, idempotency_key, concurrency_key, labels';
const BASE_VALUES = 'value->>0, value->>1, coalesce(value->>2, ?2), value->>3, value->>4, value->>5';

/**
 * A new run needs only its `created_at` back, and each returned column costs time. SQLite's 'now' is
 * constant within a statement, so all rows return the same time.
 */
export const STORE_NEW = `
insert into durably_runs (${BASE_COLUMNS})
select ${BASE_VALUES}
from json_each(?1)
where true
order by key
on conflict (id) do update set id = excluded.id
returning created_at`;

/** The generation of a new run's idempotency key: the next one if the key of the last run no longer counts. */
const KEY_GENERATION = `coalesce((
    select g.key_generation + coalesce(g.idempotency_until <= ${NOW_MS}, 0) from durably_runs g
    where g.job_name = value->>1 and g.idempotency_key = value->>3
    order by g.key_generation desc limit 1
  ), 0)`;

/**
 * If the key already has a run, or occurs twice in the statement, the existing run is returned and
 * the journal gets no row.
 */
const FOUND_BY_KEY = `
on conflict (job_name, idempotency_key, key_generation) where idempotency_key is not null
  do update set idempotency_key = excluded.idempotency_key
returning ${listedColumns(null)}, idempotency_key as stored_key, debounce_key, keyed_payload is not null as is_changed`;

export const STORE_KEYED = `
insert into durably_runs (${BASE_COLUMNS}, key_generation)
select ${BASE_VALUES}, ${KEY_GENERATION}
from json_each(?1)
where true
order by key
on conflict (id) do update set id = excluded.id
${FOUND_BY_KEY}`;

const OPTION_COLUMNS = `status, due_at, waits,
  priority, ttl_ms, ttl, timeout_ms, timeout, deadline_at, limit_key, rate_key, key_turn, key_generation, idempotency_until, plugin_data`;

/** A run with a delay or a later time waits. Its ttl counts from when it is due. One with keys for the limits of its job is in a line. */
const OPTION_VALUES = `
  iif(due_at > ${NOW_MS}, ${statusAfter('defer')}, ${statusAfter('trigger')}),
  iif(due_at > ${NOW_MS}, due_at, null),
  iif(due_at > ${NOW_MS}, json_array(json_object(
    'kind', 'delay', 'stepName', null,
    'until', strftime('%Y-%m-%dT%H:%M:%fZ', due_at / 1000.0, 'unixepoch')
  )), null),
  coalesce(value->>8, 0), value->>9, value->>10, value->>11, value->>12,
  max(coalesce(due_at, 0), ${NOW_MS}) + (value->>9),
  value->>13, value->>14, iif(coalesce(value->>13, value->>14) is null, 1, 3),
  ${KEY_GENERATION}, iif(value->>3 is null, null, ${NOW_MS} + (value->>15)), value->>20`;

const DUE_AT = `coalesce(value->>7, ${NOW_MS} + (value->>6))`;

/** For runs of which some have options. */
export const STORE_KEYED_WITH_OPTIONS = `
insert into durably_runs (${BASE_COLUMNS}, ${OPTION_COLUMNS})
select ${BASE_VALUES}, ${OPTION_VALUES}
from (select key, value, ${DUE_AT} as due_at from json_each(?1))
where true
order by key
on conflict (id) do update set id = excluded.id
${FOUND_BY_KEY}`;

/** SQL: the run that the idempotency key of a new run has already. */
const RUN_OF_KEY = `(
    select g.id from durably_runs g
    where g.job_name = value->>1 and g.idempotency_key = value->>3 and coalesce(g.idempotency_until > ${NOW_MS}, 1)
    order by g.key_generation desc limit 1
  )`;

/** SQL: the run with which a new run is coalesced: the first one of its job and concurrency key that has not begun, or is active. */
const COALESCED = `(
    select min(c.seq) from (
      select p.seq from durably_runs p
      where p.status = 'pending' and p.concurrency_key = value->>4 and p.job_name = value->>1
      union all
      select w.seq from durably_runs w indexed by durably_runs_waiting_by_key
      where w.status = 'waiting' and w.concurrency_key = value->>4 and w.job_name = value->>1
        and (value->>16 = 'active' or w.started_at is null)
      union all
      select r.seq from durably_runs r
      where r.status = 'running' and r.concurrency_key = value->>4 and r.job_name = value->>1 and value->>16 = 'active'
    ) c
  )`;

/** SQL: the run that a debounced trigger postpones, or has postponed when it was sent before. */
const DEBOUNCED = `coalesce((
    select e.seq from durably_runs e indexed by durably_runs_debounced_by where e.debounced_by = value->>0 limit 1
  ), (
    select d.seq from durably_runs d indexed by durably_runs_debounced_by_key
    where d.status = 'waiting' and d.debounce_key is not null and d.job_name = value->>1 and d.debounce_key = value->>17
      and d.started_at is null
    limit 1
  ))`;

/** The run in the table is postponed by the one that was to be stored. */
const IS_POSTPONED = `(
  excluded.debounce_key is not null and durably_runs.id <> excluded.debounced_by
  and durably_runs.debounced_by is not excluded.debounced_by and durably_runs.status = 'waiting' and durably_runs.started_at is null
)`;
const postponed = (column: string) =>
  `${column} = iif(${IS_POSTPONED}, excluded.${column}, durably_runs.${column})`;

/**
 * For a list with coalesced or debounced runs. The same statement finds the runs that are there already. A run that is not
 * to be stored gets the id of the run that was found, which is stored or comes before it in the list. It conflicts with that
 * run, so it is not inserted. A run in the list gives its id only if it is stored itself. A run whose idempotency key is
 * taken keeps its own id and conflicts by its key. A run that is found by its idempotency key is not postponed.
 */
export const STORE_RESOLVED = `
with given as materialized (
  select key as n, value, value->>0 as id, value->>1 as job_name, value->>4 as concurrency_key, value->>17 as debounce_key,
    value->>3 as idempotency_key, value->>16 is not null as is_coalesced,
    iif(value->>3 is null, null, ${RUN_OF_KEY}) as known_id,
    iif(value->>16 is null, null, ${COALESCED}) as coalesced_seq,
    iif(value->>17 is null, null, ${DEBOUNCED}) as debounced_seq
  from json_each(?1)
), unknown as materialized (
  select *, coalesce(known_id, coalesced_seq, debounced_seq) is null as is_unknown,
    min(iif(coalesce(known_id, coalesced_seq, debounced_seq) is null, n, null))
      over (partition by job_name, idempotency_key) as first_of_idempotency
  from given
), debounced as materialized (
  select *, min(iif(is_new, n, null)) over (partition by job_name, debounce_key) as first_of_debounce
  from (select *, is_unknown and (idempotency_key is null or n = first_of_idempotency) as is_new from unknown)
), ranked as materialized (
  select *, min(iif(is_new and (debounce_key is null or n = first_of_debounce), n, null))
    over (partition by job_name, concurrency_key) as first_of_key
  from debounced
), stored as materialized (
  select n from ranked
  where is_new and (debounce_key is null or n = first_of_debounce) and (not is_coalesced or n = first_of_key)
), resolved as materialized (
  select g.n as key, g.value, iif(g.known_id is null, g.debounce_key, null) as debounce_key, o.created_at as first_at,
    iif(g.idempotency_key is not null and i.n < g.n, g.id, coalesce(
      iif(g.is_coalesced or g.debounce_key is not null, g.known_id, null), o.id,
      iif(g.is_coalesced and k.n < g.n, k.id, null), iif(g.debounce_key is not null and d.n < g.n, d.id, null), g.id
    )) as id
  from ranked g
    left join durably_runs o on o.seq = coalesce(g.coalesced_seq, g.debounced_seq)
    left join given k on k.n = g.first_of_key
    left join given d on d.n = g.first_of_debounce
    left join stored i on i.n = g.first_of_idempotency
)
insert into durably_runs (${BASE_COLUMNS}, ${OPTION_COLUMNS}, debounce_key, debounced_by)
select ${BASE_VALUES.replace('value->>0', 'id').replace('value->>3', 'iif(id = value->>0, value->>3, null)')}, ${OPTION_VALUES}, debounce_key, iif(debounce_key is null, null, value->>0)
from (
  select key, value, id, debounce_key, iif(
    debounce_key is null, ${DUE_AT},
    max(${NOW_MS} + 1, min(
      ${NOW_MS} + (value->>18),
      coalesce(coalesce(first_at, ${NOW_MS}) + (value->>19), ${NOW_MS} + (value->>18))
    ))
  ) as due_at from resolved
)
where true
order by key
on conflict (id) do update set
  debounce_count = durably_runs.debounce_count + ${IS_POSTPONED},
  ${['payload', 'labels', 'due_at', 'waits', 'limit_key', 'rate_key', 'updated_at', 'debounced_by'].map(postponed).join(',\n  ')},
  keyed_payload = iif(
    ${IS_POSTPONED} and durably_runs.idempotency_key is not null,
    coalesce(durably_runs.keyed_payload, durably_runs.payload), durably_runs.keyed_payload
  ),
  deadline_at = iif(${IS_POSTPONED}, excluded.due_at + durably_runs.ttl_ms, durably_runs.deadline_at),
  key_turn = iif(${IS_POSTPONED}, (durably_runs.key_turn & 1) | (excluded.key_turn & 2), durably_runs.key_turn)
${FOUND_BY_KEY}`;
