import type { Call } from '../../../core/call.ts';
import type { CancelledBelow, CancelledRun } from '../../../core/ownership/claim.ts';
import type { WriteKind } from '../../writes.ts';
import type { Connection } from '../connection/connection.ts';
import { NOW_MS } from '../sql.ts';
import { toCancelledRun } from './commands.ts';
import { readCurrent } from './current-reads.ts';
import { PLACES } from './places.ts';
import { isFrom, leavesBelow, statusAfter } from './transitions.ts';

/** The most runs that one statement visits, because other writes wait meanwhile. */
const PORTION_ROWS = 200;

/** A marked run has runs below it that are yet to be visited. `cancels_below` is the seq of the first one, or less. */
const MARKED = 'durably_runs o indexed by durably_runs_cancelling';

/** How many marked runs a portion is made of. */
const PORTION_MARKS = 20;

/** A marked run, and how many of the runs that it started are yet to be visited, at most a portion. */
const MARK_COLUMNS = `o.id as runId, o.cancels_below as mark, (
  select count(*) from (
    select 1 from durably_runs c indexed by durably_runs_by_parent
    where c.parent_run_id = o.id and c.seq >= o.cancels_below limit ${PORTION_ROWS}
  )
) as rows`;

/** The marked runs whose next portions come first. */
const NEXT_MARKED = `
select ${MARK_COLUMNS} from ${MARKED} where o.cancels_below > 0 order by o.cancels_below limit ${PORTION_MARKS}`;

const ONE_MARKED = `select ${MARK_COLUMNS} from durably_runs o where o.id = ?1 and o.cancels_below > 0`;

/** The runs that the marked run has started, from its mark on. Empty if the mark was moved. ?1 the marked run, ?2 the mark. */
const PORTION = `
select c.seq from durably_runs o cross join durably_runs c indexed by durably_runs_by_parent
where o.id = ?1 and o.cancels_below = ?2 and c.parent_run_id = o.id and c.seq >= o.cancels_below
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
where id = ?1 and cancels_below = ?2 and not exists (
  select 1 from durably_runs a where a.seq in (${PORTION}) and ${isFrom('cancel', '+a')}
)`;

/** Most runs whose time was up have started none: marks after which no run is below are taken away together. */
const WITHOUT_RUNS_BELOW = `
update durably_runs set cancels_below = 0
where seq in (
  select o.seq from ${MARKED} where o.cancels_below > 0 order by o.cancels_below limit ${PORTION_ROWS}
) and not ${leavesBelow('durably_runs')}`;

interface Marked {
  readonly runId: string;
  readonly mark: number;
  readonly rows: number;
}

const cancellations: WriteKind<readonly Marked[], readonly CancelledRun[]> = {
  name: 'cancellation',
  place: PLACES.command,
  sizeOf: (marked) => ({ rows: rowsOf(marked), chars: 0 }),
  compile: (members) => ({
    statements: members.flatMap((marked) => [
      ...marked.flatMap(({ runId, mark }) =>
        [CANCEL, MARK, ADVANCE].map((sql) => ({ sql, parameters: [runId, mark] })),
      ),
      { sql: WITHOUT_RUNS_BELOW, parameters: [] },
    ]),
    decode: (answers) => {
      let begin = 0;
      return members.map((marked) => {
        const own = marked.flatMap((_, i) => answers[begin + 3 * i] ?? []);
        begin += 3 * marked.length + 1;
        return own.map(toCancelledRun);
      });
    },
  }),
};

/** Cancels a portion. If the process ends before all is done, the next call in any process goes on. */
export async function cancelBelow(
  connection: Connection,
  runId?: string,
  { deadlineMs = connection.callerDeadline() }: Call = {},
): Promise<CancelledBelow> {
  const found = await readCurrent<Marked>(connection, {
    ...(runId === undefined
      ? { sql: NEXT_MARKED, parameters: [] }
      : { sql: ONE_MARKED, parameters: [runId] }),
    deadlineMs,
  });
  if (found.length === 0) return { cancelled: [], more: false };
  const marked = firstPortion(found);
  const cancelled = await connection.lane.submit(cancellations, marked, deadlineMs);
  return { cancelled, more: runId === undefined || rowsOf(marked) === PORTION_ROWS };
}

/** The first marked runs that have started no more than a portion together, and at least one. */
function firstPortion(found: readonly Marked[]): Marked[] {
  const marked: Marked[] = [];
  for (const each of found) {
    if (each.rows === 0) continue;
    if (marked.length > 0 && rowsOf(marked) + each.rows > PORTION_ROWS) break;
    marked.push(each);
  }
  return marked;
}

function rowsOf(marked: readonly Marked[]): number {
  return marked.reduce((sum, { rows }) => sum + rows, 0);
}
