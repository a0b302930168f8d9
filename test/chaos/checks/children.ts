import { groupBy } from '../support/group-by.ts';
import { type JournalRecord, journalByRun, type Records, type RunRecord } from '../support/records.ts';

/** The names of steps that start a run. */
const STARTS = /^(invoke|trigger) /;
const ENDS = ['run:complete', 'run:fail', 'run:cancel'];

/**
 * Whether each step that starts a run has exactly one for each of its tries, and its result is that run's. And whether
 * no run does anything after one above it was cancelled.
 */
export function checkChildren(records: Records): string[] {
  const journal = journalByRun(records.journal);
  const byId = new Map(records.runs.map((run) => [run.id, run]));
  const byParent = groupBy(records.runs, ({ parent_run_id }) => parent_run_id);
  const lastChild = new Map(
    records.steps.map(({ run_id, name, child_run_id }) => [keyOf(run_id, name), child_run_id]),
  );
  return records.runs.flatMap((run) => {
    const children = byParent.get(run.id) ?? [];
    const rows = journal.get(run.id) ?? [];
    const complaints = [
      ...checkStarts(rows, children, (name) => lastChild.get(keyOf(run.id, name))),
      ...checkResults(rows, byId, (name) => lastChild.get(keyOf(run.id, name))),
      ...children.flatMap((child) => checkOutlived(rows, child, journal.get(child.id) ?? [])),
      ...children
        .filter(({ depth }) => depth !== run.depth + 1)
        .map(({ id, depth }) => `is at depth ${run.depth}, and its child ${id} at ${depth}`),
    ];
    if (run.parent_run_id !== null && !byId.has(run.parent_run_id))
      complaints.push('has a parent that is not there');
    return complaints.map((complaint) => `${run.id} ${complaint}`);
  });
}

const keyOf = (runId: string, name: string) => `${runId} ${name}`;

/** One run for each start of the step, and no start but the first and those after a failure. */
function checkStarts(
  rows: readonly JournalRecord[],
  children: readonly RunRecord[],
  lastChildOf: (name: string) => string | null | undefined,
): string[] {
  const byStep = groupBy(children, ({ payload }) => startedBy(payload));
  const names = new Set(rows.map(({ step_name }) => step_name ?? '').filter((name) => STARTS.test(name)));
  const strays = children.filter(({ payload }) => !names.has(startedBy(payload)));
  const complaints = strays.map(({ id }) => `has the child ${id}, of a step that it has not started`);
  for (const name of names) {
    const ofStep = rows.filter(({ step_name }) => step_name === name);
    const starts = ofStep.filter(({ type }) => type === 'step:start').length;
    const tries = 1 + ofStep.filter(({ type }) => type === 'step:fail').length;
    const runs = byStep.get(name) ?? [];
    if (runs.length !== starts)
      complaints.push(`started "${name}" ${starts} times, and has ${runs.length} runs of it`);
    // The last failure need not be followed by another try.
    if (starts > tries || starts < tries - 1)
      complaints.push(`started "${name}" ${starts} times in ${tries} tries`);
    const last = lastChildOf(name);
    if (last !== undefined && last !== null && runs.at(-1)?.id !== last)
      complaints.push(`has ${last} for "${name}", which is not the last`);
  }
  return complaints;
}

function checkResults(
  rows: readonly JournalRecord[],
  byId: ReadonlyMap<string, RunRecord>,
  lastChildOf: (name: string) => string | null | undefined,
): string[] {
  const outcomes = rows.filter(
    ({ type, step_name }) => type === 'step:complete' && STARTS.test(step_name ?? ''),
  );
  return outcomes.flatMap(({ step_name, data }) => {
    const name = step_name ?? '';
    const child = byId.get(lastChildOf(name) ?? '');
    if (child === undefined) return [`completed "${name}" without a run`];
    if (name.startsWith('trigger ')) {
      return data === JSON.stringify({ runId: child.id })
        ? []
        : [`answered "${name}" with ${data}, not ${child.id}`];
    }
    if (child.status === 'completed' && child.output === data) return [];
    return [
      `answered "${name}" with something else than the output of ${child.id}, which is ${child.status}`,
    ];
  });
}

/**
 * After the cancel of the run, a run below it has at most its own cancel in the journal. After a time-out the runs below
 * are cancelled by another statement.
 */
function checkOutlived(
  rows: readonly JournalRecord[],
  { id }: RunRecord,
  ofChild: readonly JournalRecord[],
): string[] {
  const cancel = rows.find(({ type }) => type === 'run:cancel');
  if (cancel !== undefined) {
    const after = ofChild.filter(({ sequence }) => sequence > cancel.sequence).map(({ type }) => type);
    if (after.length > 1 || (after.length === 1 && after[0] !== 'run:cancel'))
      return [`was cancelled, and ${id} below it went on: ${after.join()}`];
  }
  const end = rows.find(({ type }) => type === 'run:fail');
  if (end?.message?.startsWith('timed out') === true) {
    const begun = ofChild.find(({ sequence }) => sequence > end.sequence)?.type === 'run:trigger';
    const last = ofChild.find(({ type }) => ENDS.includes(type));
    if (begun) return [`was timed out, and ${id} below it began after that`];
    const lateMs = (last?.created_at ?? Number.POSITIVE_INFINITY) - end.created_at;
    if (last === undefined || lateMs > CANCELLED_WITHIN_MS)
      return [`was timed out, and ${id} below it went on for ${lateMs} ms`];
  }
  return [];
}

/** Far longer than a process takes, and far shorter than the runs would wait. */
const CANCELLED_WITHIN_MS = 10_000;

function startedBy(payload: string): string {
  return String((JSON.parse(payload) as { startedBy?: string }).startedBy);
}
