import { decodeJson } from '../../../core/json/json.ts';
import { PORTION_BYTES } from '../../../core/json/portions.ts';
import type { ChildRun, KnownStep } from '../../../core/ownership/known-step.ts';
import type { RunStatus } from '../../../core/run.ts';
import type { StepKind } from '../../../core/step.ts';
import type { Connection } from '../connection/connection.ts';
import { readCurrent } from './current-reads.ts';

/** A long list of names is read in pages, to fit into one answer of a server each. */
const NAMES_PER_PAGE = 2_000;

/** SQL: the steps that an execution has to know. One that failed is replayed if its attempt `attempt` goes on. */
export const isKnown = (
  step: string,
  { journal, attempt }: { readonly journal: string; readonly attempt: string },
) =>
  `(${step}.status in ('completed', 'open') or (${step}.status = 'failed' and ${journal}.attempt = ${attempt}))`;

/** SQL: the outcome as a {@link StepResult.output}. */
export const outcomeOf = (step: string, journal: string) =>
  `iif(${step}.status = 'failed', json_array(${journal}.message, ${journal}.data), ${journal}.data)`;

/** SQL: the bytes of the outcome, a failure's with all escapes. */
export const bytesOf = (step: string, journal: string) =>
  `iif(${step}.status = 'failed', octet_length(${outcomeOf(step, journal)}), coalesce(octet_length(${journal}.data), 0))`;

/** A child's output up to this size comes along with its step. */
const INLINE_CHILD_BYTES = 4 * 1024;

/** SQL: the run that the open step of `table` has started, as a {@link ChildRow}. */
export const childOf = (
  table: string,
) => `case when ${table}.status = 'open' and ${table}.child_run_id is not null then (
  select json_array(${table}.child_run_id, min(r.status), r.error, octet_length(r.output),
    iif(octet_length(r.output) <= ${INLINE_CHILD_BYTES}, r.output, null))
  from durably_runs r where r.id = ${table}.child_run_id
) end`;

/** SQL: the bytes of a row beside its outcome: of its name, and of its child with all escapes. */
export const textBytesOf = (step: string) =>
  `octet_length(${step}.name) + iif(${step}.status = 'open', coalesce(octet_length(${childOf(step)}), 0), 0)`;

/** SQL: the run's attempt, if its claim goes on with it. */
const GOING_ON = `(select r.attempt from durably_runs r where r.id = ?1 and r.claim_kind = 'resume')`;

/** What a row takes of an answer besides its texts. */
const ROW_BYTES = 512;

/**
 * The names of a run's completed and open steps by index, and with them the outputs of the
 * first ones, as many as make a portion. ?1 the run, ?2 and ?3 the index and name
 * of the last step of the page before, ?4 how many bytes of outputs may come along.
 * The row at which the other texts make a portion is the last one.
 *
 * A window copies every column that stands beside it: it is given the texts' sizes,
 * which SQLite tells of outputs without reading them.
 */
const RESULTS = `
select s.name, s.step_index, s.sequence, s.kind, s.status, s.tries, s.due_at, s.created_at, s.bytes, s.total <= ?4 as is_read, s.texts, ${childOf('s')} as child,
  case when s.total <= ?4 then (
    select ${outcomeOf('s', 'o')} from durably_journal o where o.sequence = s.sequence
  ) end as output
from (
  select name, step_index, kind, status, tries, due_at, child_run_id, created_at, sequence, bytes, text_bytes,
    sum(bytes) over (order by step_index, name) as total, sum(text_bytes) over (order by step_index, name) as texts
  from (
    select c.name, c.step_index, c.kind, c.status, c.tries, c.due_at, c.child_run_id, j.created_at, c.sequence, ${bytesOf('c', 'j')} as bytes,
      ${ROW_BYTES} + ${textBytesOf('c')} as text_bytes
    from durably_steps c cross join durably_journal j on j.sequence = c.sequence
    where c.run_id = ?1 and ${isKnown('c', { journal: 'j', attempt: GOING_ON })} and (c.step_index, c.name) > (?2, ?3)
    order by c.step_index, c.name limit ${NAMES_PER_PAGE}
  )
) s
where s.texts - s.text_bytes < ${PORTION_BYTES}
order by s.step_index, s.name`;

export interface StepRow {
  readonly name: string;
  readonly sequence: number;
  readonly kind: StepKind;
  readonly status: 'completed' | 'failed' | 'open';
  readonly tries: number;
  readonly due_at: number | null;
  readonly created_at: number;
  readonly bytes: number;
  readonly output: string | null;
  readonly is_read: number;
  /** JSON text of a {@link ChildRow}. */
  readonly child: string | null;
}

type ChildRow = readonly [
  runId: string,
  status: RunStatus | null,
  error: string | null,
  outputBytes: number | null,
  output: string | null,
];

interface ListedStepRow extends StepRow {
  readonly step_index: number;
  /** The bytes of the page's texts up to this row. */
  readonly texts: number;
}

export function toKnownStep(row: StepRow): KnownStep {
  const { name, status, sequence, bytes: outputBytes, output, is_read } = row;
  if (status === 'open') {
    const { kind, tries, created_at: sinceMs, due_at: dueAtMs } = row;
    const child = row.child === null ? undefined : toChild(decodeJson(row.child) as ChildRow);
    return { state: 'open', name, kind, sinceMs, tries, dueAtMs: dueAtMs ?? Number.POSITIVE_INFINITY, child };
  }
  return { state: status, name, sequence, outputBytes, ...(is_read === 1 && { output }) };
}

function toChild([runId, status, error, outputBytes, output]: ChildRow): ChildRun {
  const isRead = outputBytes === null || output !== null;
  return { runId, status: status ?? 'deleted', error, ...(isRead && { output }) };
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
    const last = rows.at(-1);
    const isFull = rows.length === NAMES_PER_PAGE || (last?.texts ?? 0) >= PORTION_BYTES;
    place = isFull ? last : undefined;
    // Only the first page brings outputs along.
    spare = -1;
  }
  return steps;
}

const OUTPUTS = `
select s.name, ${outcomeOf('s', 'j')} as output
from json_each(?) n cross join durably_steps s cross join durably_journal j on j.sequence = s.sequence
where s.run_id = ? and s.name = n.value and s.status in ('completed', 'failed')`;

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
