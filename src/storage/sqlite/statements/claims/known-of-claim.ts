import type { KnownOfRun } from '../../../../core/ownership/claim.ts';
import type { KnownStep, SentSignal } from '../../../../core/ownership/known-step.ts';
import type { Rows } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import { readCurrent } from '../current-reads.ts';
import {
  bytesOf,
  childOf,
  isKnown,
  outcomeOf,
  type StepRow,
  textBytesOf,
  toKnownStep,
} from '../step-results.ts';

/** SQL: whether the run may have steps. On its first attempt it has none. */
const MAY_HAVE_STEPS = `(r.step_count > 0 or r.attempt > 1 or r.claim_kind <> 'start')`;

/** The most steps and signals in a claim's answer. */
const MAX_ROWS = 500;
/** A larger value is read later, so that all rows fit into one answer. */
const INLINE_BYTES = 4 * 1024;
/** The same for a step's name and child. Then the steps of its run are read in pages. */
const TEXT_BYTES = 6 * 1024;

/**
 * SQL: the completed and open steps of claimed runs, and the signals that no step has taken. Of a signal,
 * `due_at` is its number and `output` its payload.
 */
const knownOf = (runs: string) => `
with claimed as materialized (
  select r.id, iif(r.claim_kind = 'resume', r.attempt, null) as attempt from ${runs}
)
select r.id as run_id, s.step_index, s.name, s.sequence, s.kind, s.status, s.tries, s.due_at, j.created_at,
  ${bytesOf('s', 'j')} as bytes, ${bytesOf('s', 'j')} <= ${INLINE_BYTES} as is_read,
  iif(${bytesOf('s', 'j')} <= ${INLINE_BYTES}, ${outcomeOf('s', 'j')}, null) as output,
  iif(${textBytesOf('s')} <= ${TEXT_BYTES}, ${childOf('s')}, null) as child, ${textBytesOf('s')} > ${TEXT_BYTES} as is_cut
from claimed r cross join durably_steps s on s.run_id = r.id
  cross join durably_journal j on j.sequence = s.sequence
where ${isKnown('s', { journal: 'j', attempt: 'r.attempt' })}
union all
select r.id, null, g.name, 0, 'signal', 'sent', 0, g.seq, g.created_at, octet_length(g.payload), 1,
  iif(octet_length(g.payload) <= ${INLINE_BYTES}, g.payload, null), null, 0
from claimed r cross join durably_signals g indexed by durably_signals_untaken on g.run_id = r.id
where g.is_taken = 0
order by 1, 2, 3, 8 limit ${MAX_ROWS + 1}`;

/**
 * Right after a claim: `changes()` tells whether it took any. Those have the newest heartbeat, so it does not look through all
 * running runs. Where the database's clock was set back, it may miss them, and they are read later. ?1 the claim's token.
 */
export const KNOWN_OF_CLAIM = knownOf(`durably_runs r indexed by durably_runs_leases
  where r.status = 'running' and r.claim_token = ?1 and ${MAY_HAVE_STEPS}
    and r.heartbeat_at = iif(changes() > 0, (
      select max(n.heartbeat_at) from durably_runs n indexed by durably_runs_leases where n.status = 'running'
    ), null)`);

/** ?1 a JSON array of ids. */
const KNOWN_OF_RUNS = knownOf('json_each(?1) i cross join durably_runs r on r.id = i.value');

type KnownRow = Omit<StepRow, 'status'> & {
  readonly run_id: string;
  readonly status: StepRow['status'] | 'sent';
  /** 1 if its texts are too large to come along. */
  readonly is_cut: number;
};

/** By run. A run whose rows don't all fit into the answer is missing: they are read in pages. */
export function knownOfRuns(rows: Rows): ReadonlyMap<string, KnownOfRun> {
  const known = new Map<string, { steps: KnownStep[]; signals: SentSignal[] }>();
  for (const row of rows as unknown as readonly KnownRow[]) {
    const ofRun = known.get(row.run_id) ?? { steps: [], signals: [] };
    known.set(row.run_id, ofRun);
    const { status, name, output, due_at } = row;
    if (status === 'sent') ofRun.signals.push({ seq: Number(due_at), name, payload: output ?? undefined });
    else ofRun.steps.push(toKnownStep({ ...row, status }));
  }
  if (rows.length > MAX_ROWS) known.delete(String(rows.at(-1)?.run_id));
  for (const { run_id, is_cut } of rows) if (is_cut === 1) known.delete(String(run_id));
  for (const { signals } of known.values()) signals.sort((a, b) => a.seq - b.seq);
  return known;
}

export async function listKnown(
  connection: Connection,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, KnownOfRun>> {
  const rows = await readCurrent<Rows[number]>(connection, {
    sql: KNOWN_OF_RUNS,
    parameters: [JSON.stringify(runIds)],
  });
  const known = knownOfRuns(rows);
  if (rows.length > MAX_ROWS || rows.some(({ is_cut }) => is_cut === 1)) return known;
  // All rows came, so a run without rows has none.
  return new Map(runIds.map((runId) => [runId, known.get(runId) ?? { steps: [], signals: [] }]));
}
