import type { CancelledBelow } from '../../../core/ownership/claim.ts';
import type { WriteKind } from '../../writes.ts';
import type { Connection } from '../connection/connection.ts';
import { NOW_MS } from '../sql.ts';
import { toCancelledRun } from './commands.ts';
import { readCurrent } from './current-reads.ts';
import { PLACES } from './places.ts';
import { isFrom, statusAfter } from './transitions.ts';

/** The most runs that one statement visits, because other writes wait meanwhile. */
const PORTION_ROWS = 200;

/** A run is marked if runs below it are yet to be visited: `cancels_below` is the first one's seq, or less. */
const MARKED = 'durably_runs o indexed by durably_runs_cancelling';

/** The marked run whose next portion comes first. */
const NEXT_MARKED = `select o.id from ${MARKED} where o.cancels_below > 0 order by o.cancels_below limit 1`;

/** The runs that the marked run has started, from its mark on. ?1 the marked run. */
const PORTION = `
select c.seq from durably_runs o cross join durably_runs c indexed by durably_runs_by_parent
where o.id = ?1 and o.cancels_below > 0 and c.parent_run_id = o.id and c.seq >= o.cancels_below
order by c.seq limit ${PORTION_ROWS}`;

const HAS_RUNS_BELOW = `exists (
  select 1 from durably_runs g indexed by durably_runs_by_parent where g.parent_run_id = durably_runs.id
)`;

const IS_ACTIVE = isFrom('cancel', '+durably_runs');

/** Cancels the active runs of the portion. Those that have started others, which are younger than they, are marked. */
const CANCEL = `
update durably_runs set
  status = ${statusAfter('cancel')}, last_command = 'cancel', completed_at = ${NOW_MS}, updated_at = ${NOW_MS},
  cancels_below = iif(${HAS_RUNS_BELOW}, seq, 0)
where seq in (${PORTION}) and ${IS_ACTIVE}
returning id, job_name`;

/** A run that is over may have started others that are not. */
const MARK = `
update durably_runs set cancels_below = seq
where seq in (${PORTION}) and not ${IS_ACTIVE} and cancels_below = 0 and ${HAS_RUNS_BELOW}`;

/** Moves the mark past the portion, or takes it away after the last one. Another process may have moved it already. */
const ADVANCE = `
update durably_runs set cancels_below = coalesce((
  select iif(count(*) = ${PORTION_ROWS}, max(p.seq) + 1, null) from (${PORTION}) p
), 0)
where id = ?1 and not exists (
  select 1 from durably_runs a where a.seq in (${PORTION}) and ${isFrom('cancel', '+a')}
)`;

/** Most runs whose time was up have started none: their marks are taken away together. */
const WITHOUT_RUNS_BELOW = `
update durably_runs set cancels_below = 0
where seq in (
  select o.seq from ${MARKED} where o.cancels_below > 0 order by o.cancels_below limit ${PORTION_ROWS}
) and not ${HAS_RUNS_BELOW}`;

const cancellations: WriteKind<string, CancelledBelow> = {
  name: 'cancellation',
  place: PLACES.command,
  sizeOf: () => ({ rows: PORTION_ROWS, chars: 0 }),
  compile: (marked) => ({
    statements: marked.flatMap((runId) => [
      { sql: CANCEL, parameters: [runId] },
      { sql: MARK, parameters: [runId] },
      { sql: ADVANCE, parameters: [runId] },
      { sql: WITHOUT_RUNS_BELOW, parameters: [] },
    ]),
    decode: (answers) =>
      marked.map((_, i) => ({ cancelled: (answers[4 * i] ?? []).map(toCancelledRun), more: true })),
  }),
};

/** Cancels a portion. If the process ends before all is done, the next call in any process goes on. */
export async function cancelBelow(connection: Connection): Promise<CancelledBelow> {
  const [next] = await readCurrent<{ id: string }>(connection, {
    sql: NEXT_MARKED,
    parameters: [],
    deadlineMs: connection.callerDeadline(),
  });
  if (next === undefined) return { cancelled: [], more: false };
  return await connection.lane.submit(cancellations, next.id);
}
