import { PORTION_BYTES } from '../../../core/json/portions.ts';
import type { KnownStep } from '../../../core/ownership/known-step.ts';
import type { StepKind } from '../../../core/step.ts';
import type { Rows } from '../../writes.ts';
import type { Connection } from '../connection/connection.ts';
import { readCurrent } from './current-reads.ts';

/** A long list of names is read in pages, to fit into one answer of a server each. */
const NAMES_PER_PAGE = 2_000;

/** The steps of `table` that an execution has to know. */
const isKnown = (table: string) => `${table}.status in ('completed', 'open')`;

/**
 * The names of a run's completed and open steps by index, and with them the outputs of the
 * first ones, as many as make a portion. ?1 the run, ?2 and ?3 the index and name
 * of the last step of the page before, ?4 how many bytes of outputs may come along.
 *
 * A window copies every column that stands beside it: it is given the outputs' sizes,
 * which SQLite tells without reading the outputs.
 */
const RESULTS = `
select s.name, s.step_index, s.kind, s.status, s.tries, s.due_at, s.created_at, s.bytes, s.total <= ?4 as is_read,
  case when s.total <= ?4 then (select o.data from durably_journal o where o.sequence = s.sequence) end as output
from (
  select name, step_index, kind, status, tries, due_at, created_at, sequence, bytes, sum(bytes) over (order by step_index, name) as total
  from (
    select c.name, c.step_index, c.kind, c.status, c.tries, c.due_at, j.created_at, c.sequence, coalesce(octet_length(j.data), 0) as bytes
    from durably_steps c cross join durably_journal j on j.sequence = c.sequence
    where c.run_id = ?1 and ${isKnown('c')} and (c.step_index, c.name) > (?2, ?3)
    order by c.step_index, c.name limit ${NAMES_PER_PAGE}
  )
) s
order by s.step_index, s.name`;

interface StepRow {
  readonly name: string;
  readonly kind: StepKind;
  readonly status: 'completed' | 'open';
  readonly tries: number;
  readonly due_at: number | null;
  readonly created_at: number;
  readonly bytes: number;
  readonly output: string | null;
  readonly is_read: number;
}

type ListedStepRow = StepRow & { readonly step_index: number };

function toKnownStep(row: StepRow): KnownStep {
  const { name, status, bytes: outputBytes, output, is_read } = row;
  if (status === 'open') {
    const { kind, tries, created_at: sinceMs, due_at: dueAtMs } = row;
    return { state: 'open', name, kind, sinceMs, tries, dueAtMs: dueAtMs ?? 0 };
  }
  return { state: 'completed', name, outputBytes, ...(is_read === 1 && { output }) };
}

export async function listKnownSteps(connection: Connection, runId: string): Promise<KnownStep[]> {
  const steps: KnownStep[] = [];
  let place: Pick<ListedStepRow, 'step_index' | 'name'> | undefined = { step_index: -1, name: '' };
  let spare = PORTION_BYTES;
  while (place !== undefined) {
    const rows: ListedStepRow[] = await readCurrent<ListedStepRow>(connection, {
      sql: RESULTS,
      parameters: [runId, place.step_index, place.name, spare],
    });
    steps.push(...rows.map(toKnownStep));
    place = rows.length === NAMES_PER_PAGE ? rows.at(-1) : undefined;
    // Outputs come along with the first page alone.
    spare = -1;
  }
  return steps;
}

/** SQL: a run's first attempt begins without any. */
const MAY_HAVE_STEPS = `(r.step_count > 0 or r.attempt > 1 or r.claim_kind <> 'start')`;

/** How many steps a claim's answer holds at most, and which outputs come along: together they fit into one answer. */
const STEPS_OF_CLAIM_ROWS = 500;
const INLINE_OUTPUT_BYTES = 4 * 1024;

/** The completed and open steps of the runs that bear a claim's token. ?1 the token. */
export const STEPS_OF_CLAIM = `
select r.id as run_id, s.name, s.kind, s.status, s.tries, s.due_at, j.created_at, coalesce(octet_length(j.data), 0) as bytes,
  coalesce(octet_length(j.data), 0) <= ${INLINE_OUTPUT_BYTES} as is_read,
  case when octet_length(j.data) <= ${INLINE_OUTPUT_BYTES} then j.data end as output
from durably_runs r indexed by durably_runs_leases
  cross join durably_steps s on s.run_id = r.id
  cross join durably_journal j on j.sequence = s.sequence
where r.status = 'running' and r.claim_token = ?1 and ${MAY_HAVE_STEPS} and ${isKnown('s')}
order by r.id, s.step_index, s.name limit ${STEPS_OF_CLAIM_ROWS + 1}`;

export type StepsOfRuns = ReadonlyMap<string, readonly KnownStep[]>;

/** By run. A run whose steps don't all fit into the answer is missing. */
export function stepsOfRuns(rows: Rows): StepsOfRuns {
  const steps = new Map<string, KnownStep[]>();
  for (const row of rows) {
    const runId = String(row.run_id);
    const step = toKnownStep(row as unknown as StepRow);
    const all = steps.get(runId);
    if (all === undefined) steps.set(runId, [step]);
    else all.push(step);
  }
  if (rows.length > STEPS_OF_CLAIM_ROWS) steps.delete(String(rows.at(-1)?.run_id));
  return steps;
}

const OUTPUTS = `
select s.name, j.data as output
from json_each(?) n cross join durably_steps s cross join durably_journal j on j.sequence = s.sequence
where s.run_id = ? and s.name = n.value and s.status = 'completed'`;

export async function readStepOutputs(
  connection: Connection,
  { runId, names }: { readonly runId: string; readonly names: readonly string[] },
): Promise<ReadonlyMap<string, string | null>> {
  const rows = await readCurrent<{ name: string; output: string | null }>(connection, {
    sql: OUTPUTS,
    parameters: [JSON.stringify(names), runId],
  });
  return new Map(rows.map(({ name, output }) => [name, output]));
}
