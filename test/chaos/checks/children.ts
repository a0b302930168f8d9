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
      ...children.flatMap((child) => {
        const ofChild = journal.get(child.id) ?? [];
        return isBelowTimedOut(run, byId)
          ? checkOutlivedTimeOut(rows, child, ofChild, 'run:cancel')
          : checkOutlivedCancel(rows, child, ofChild);
      }),
      ...(isTimedOut(run)
        ? children.flatMap((child) =>
            checkOutlivedTimeOut(rows, child, journal.get(child.id) ?? [], 'run:fail'),
          )
        : []),
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
    const fails = ofStep.filter(({ type }) => type === 'step:fail').length;
    // Retried by hand, a step begins anew if its run was cancelled.
    const retries = rows.filter(({ type, data }) => type === 'run:retry' && data === null).length;
    const runs = byStep.get(name) ?? [];
    if (runs.length !== starts)
      complaints.push(`started "${name}" ${starts} times, and has ${runs.length} runs of it`);
    // The last failure need not be followed by another try.
    if (starts > 1 + fails + retries || starts < fails)
      complaints.push(`started "${name}" ${starts} times, and it failed ${fails} times`);
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

/** After the cancel of the run, a run below it has at most its own cancel in the journal. */
function checkOutlivedCancel(
  rows: readonly JournalRecord[],
  { id }: RunRecord,
  ofChild: readonly JournalRecord[],
): string[] {
  const cancel = rows.find(({ type }) => type === 'run:cancel');
  if (cancel === undefined) return [];
  const isRetried = rows.some(({ type, sequence }) => type === 'run:retry' && sequence > cancel.sequence);
  if (isRetried && (ofChild[0]?.sequence ?? 0) > cancel.sequence) return [];
  const after = ofChild.filter(({ sequence }) => sequence > cancel.sequence).map(({ type }) => type);
  return after.length > 1 || (after.length === 1 && after[0] !== 'run:cancel')
    ? [`was cancelled, and ${id} below it went on: ${after.join()}`]
    : [];
}

/** After a time-out the runs below are cancelled later, one level after another: none begins, and all end soon. */
function checkOutlivedTimeOut(
  rows: readonly JournalRecord[],
  { id }: RunRecord,
  ofChild: readonly JournalRecord[],
  endedBy: 'run:cancel' | 'run:fail',
): string[] {
  const end = rows.find(({ type }) => type === endedBy);
  if (end === undefined) return [];
  const begun = ofChild.find(({ sequence }) => sequence > end.sequence)?.type === 'run:trigger';
  if (begun) return [`was timed out, and ${id} below it began after that`];
  const last = ofChild.find(({ type }) => ENDS.includes(type));
  const lateMs = (last?.created_at ?? Number.POSITIVE_INFINITY) - end.created_at;
  return lateMs > CANCELLED_WITHIN_MS ? [`was timed out, and ${id} below it went on for ${lateMs} ms`] : [];
}

/** Longer than a process takes to notice what one that was killed has left. */
const CANCELLED_WITHIN_MS = 20_000;

function isTimedOut({ error }: RunRecord): boolean {
  return error?.startsWith('timed out') === true;
}

function isBelowTimedOut(run: RunRecord, byId: ReadonlyMap<string, RunRecord>): boolean {
  const parent = byId.get(run.parent_run_id ?? '');
  return parent !== undefined && (isTimedOut(parent) || isBelowTimedOut(parent, byId));
}

function startedBy(payload: string): string {
  return String((JSON.parse(payload) as { startedBy?: string }).startedBy);
}
