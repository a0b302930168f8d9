import { NOW_MS } from '../sql.ts';
import { listedColumns } from './rows.ts';
import { statusAfter } from './transitions.ts';

/**
 * ?1 is the list of runs, each a list in the order of `toValues`. ?2 is the payload of the one
 * run whose payload is not in ?1. If an id exists already, it is the same run, sent again because
 * its answer was lost.
 */
const STORE = `
insert into durably_runs (id, job_name, payload, idempotency_key, concurrency_key, labels)
select value->>0, value->>1, coalesce(value->>2, ?2), value->>3, value->>4, value->>5
from json_each(?1)
where true
order by key
on conflict (id) do update set id = excluded.id`;

/**
 * Like {@link STORE}, for runs of which some have options. A run with a delay or a later time waits.
 * Its ttl counts from when it is due. One with keys for the limits of its job is in a line.
 */
const STORE_WITH_OPTIONS = `
insert into durably_runs (
  id, job_name, payload, idempotency_key, concurrency_key, labels, status, due_at, waits,
  priority, ttl_ms, ttl, timeout_ms, timeout, deadline_at, limit_key, rate_key, key_turn
)
select value->>0, value->>1, coalesce(value->>2, ?2), value->>3, value->>4, value->>5,
  iif(due_at > ${NOW_MS}, ${statusAfter('defer')}, ${statusAfter('trigger')}),
  iif(due_at > ${NOW_MS}, due_at, null),
  iif(due_at > ${NOW_MS}, json_array(json_object(
    'kind', 'delay', 'stepName', null,
    'until', strftime('%Y-%m-%dT%H:%M:%fZ', due_at / 1000.0, 'unixepoch')
  )), null),
  coalesce(value->>8, 0), value->>9, value->>10, value->>11, value->>12,
  max(coalesce(due_at, 0), ${NOW_MS}) + (value->>9),
  value->>13, value->>14, iif(coalesce(value->>13, value->>14) is null, 1, 3)
from (select key, value, coalesce(value->>7, ${NOW_MS} + (value->>6)) as due_at from json_each(?1))
where true
order by key
on conflict (id) do update set id = excluded.id`;

/**
 * A new run needs only its `created_at` back, and each returned column costs time. SQLite's 'now' is
 * constant within a statement, so all rows return the same time.
 */
export const STORE_NEW = `${STORE}
returning created_at`;

/**
 * If the key already has a run, or occurs twice in the statement, the existing run is returned and
 * the journal gets no row.
 */
export const STORE_KEYED = storeKeyed(STORE);
export const STORE_KEYED_WITH_OPTIONS = storeKeyed(STORE_WITH_OPTIONS);

function storeKeyed(store: string): string {
  return `${store}
on conflict (job_name, idempotency_key) where idempotency_key is not null
  do update set idempotency_key = excluded.idempotency_key
returning ${listedColumns(null)}, idempotency_key as stored_key`;
}
