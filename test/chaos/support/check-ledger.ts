import { groupBy } from './group-by.ts';
import type { LedgerRow } from './ledger.ts';
import type { JournalRecord, Records } from './records.ts';

/**
 * Whether each stored result is the one effect that it came from, and no
 * execution that began after it was stored did the step again. An effect
 * without a stored result is none of that: its process died in between.
 *
 * A worker that lost a run may learn it after it began, and do until then what
 * another one has done: `lost` are the runs of which that may be so.
 */
export function checkLedger(
  { runs, journal }: Records,
  ledger: readonly LedgerRow[],
  { lost = new Set() }: { lost?: ReadonlySet<string | undefined> } = {},
): string[] {
  const effects = groupBy(
    ledger.filter(({ kind }) => kind === 'effect'),
    ({ value }) => value,
  );
  const byEffects = new Set(ledger.map(({ run }) => run));
  const stored = journal.filter((row) => row.type === 'step:complete' && byEffects.has(row.run_id));
  const violations = stored.flatMap((row) => {
    const value: unknown = row.data === null ? null : JSON.parse(row.data);
    if (typeof value !== 'string') return [];
    const sources = effects.get(value) ?? [];
    const isItsOwn = sources.every(({ run, step }) => run === row.run_id && step === row.step_name);
    return [
      ...(sources.length === 1 ? [] : [`${nameOf(row)} is stored with ${sources.length} effects`]),
      ...(isItsOwn ? [] : [`${nameOf(row)} is stored with another step's effect`]),
    ];
  });
  const storedByRun = groupBy(stored, ({ run_id }) => run_id);
  return [
    ...violations,
    ...findRepeated(ledger.filter(({ run }) => !lost.has(run))),
    ...findTwice(ledger),
    ...runs.flatMap((run) => checkOutput(run, storedByRun.get(run.id) ?? [])),
  ];
}

/** Goes by the ledger's own order, and no clock: an execution can know what was stored before it began. */
function findRepeated(ledger: readonly LedgerRow[]): string[] {
  const storedByRun = new Map<string, readonly string[]>();
  const knownTo = new Map<string, readonly string[]>();
  return ledger.flatMap(({ kind, run, execution, step = '', mark, detail = '' }) => {
    const stored = storedByRun.get(run) ?? [];
    if (kind === 'begin') knownTo.set(execution, stored);
    if (mark === 'stored') storedByRun.set(run, [...stored, detail]);
    const isRepeated = kind === 'effect' && knownTo.get(execution)?.includes(step);
    return isRepeated ? [`${run} "${step}" was done again after it was stored`] : [];
  });
}

/** No execution calls a step's function twice: those of the chaos jobs don't fail. */
function findTwice(ledger: readonly LedgerRow[]): string[] {
  const effects = ledger.filter(({ kind }) => kind === 'effect');
  const calls = groupBy(effects, ({ run, execution, step }) => `${run} "${step}" by ${execution}`);
  return [...calls].flatMap(([call, rows]) =>
    rows.length > 1 ? [`${call} was done ${rows.length} times`] : [],
  );
}

/** A run's output is made of what its steps stored, whichever attempt did so. */
function checkOutput(run: Records['runs'][number], stored: readonly JournalRecord[]): string[] {
  if (run.status !== 'completed' || run.job_name !== 'work') return [];
  const results = stored.map((row) => JSON.parse(row.data ?? 'null'));
  const { values } = JSON.parse(run.output ?? '{}');
  const isSame = JSON.stringify([...values].sort()) === JSON.stringify(results.sort());
  return isSame ? [] : [`${run.id} completed with other values than its steps stored`];
}

function nameOf({ run_id, step_name }: JournalRecord): string {
  return `${run_id} "${step_name}"`;
}
