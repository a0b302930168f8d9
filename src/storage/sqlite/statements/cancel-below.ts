import type { CancelledBelow } from '../../../core/ownership/claim.ts';
import type { WriteKind } from '../../writes.ts';
import type { Connection } from '../connection/connection.ts';
import { NOW_MS } from '../sql.ts';
import { toCancelledRun } from './commands.ts';
import { PLACES } from './places.ts';
import { isFrom, statusAfter } from './transitions.ts';

/** The most runs whose descendants are cancelled at once. */
const MAX_CANCELLED_BELOW = 20;

const TIMED_OUT = `
select o.id from durably_runs o indexed by durably_runs_cancelling
where o.cancels_below = 1 order by o.id limit ${MAX_CANCELLED_BELOW}`;

/** Cancels the active runs below the runs whose time was up. */
const CANCEL_BELOW = `
with recursive tree(id) as (
  select c.id from (${TIMED_OUT}) o cross join durably_runs c indexed by durably_runs_by_parent
  where c.parent_run_id = o.id
  union
  select c.id from tree t cross join durably_runs c indexed by durably_runs_by_parent
  where c.parent_run_id = t.id
)
update durably_runs set status = ${statusAfter('cancel')}, last_command = 'cancel', completed_at = ${NOW_MS}, updated_at = ${NOW_MS}
where id in (select id from tree) and ${isFrom('cancel', '+durably_runs')}
returning id, job_name`;

/** Marks those runs as done, once no active run is below them. */
const CANCELLED_BELOW = `
update durably_runs set cancels_below = 0
where id in (${TIMED_OUT}) and not exists (
  select 1 from durably_runs c indexed by durably_runs_by_parent
  where c.parent_run_id = durably_runs.id and ${isFrom('cancel', '+c')}
)
returning id`;

const cancellations: WriteKind<undefined, CancelledBelow> = {
  name: 'cancellation',
  place: PLACES.command,
  sizeOf: () => ({ rows: MAX_CANCELLED_BELOW, chars: 0 }),
  compile: (members) => ({
    statements: [
      { sql: CANCEL_BELOW, parameters: [] },
      { sql: CANCELLED_BELOW, parameters: [] },
    ],
    decode: ([cancelled = [], done = []]) =>
      members.map((_, i) => ({
        cancelled: i === 0 ? cancelled.map(toCancelledRun) : [],
        more: done.length > 0 || cancelled.length > 0,
      })),
  }),
};

/** If the process ends before all is done, the next call in any process does the rest. */
export async function cancelBelow(connection: Connection): Promise<CancelledBelow> {
  return await connection.lane.submit(cancellations, undefined);
}
