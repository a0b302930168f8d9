import { groupBy } from './group-by.ts';
import type { LedgerRow } from './ledger.ts';
import type { JournalRecord, Records } from './records.ts';

/**
 * Whether each stored result is the one effect that it came from, and no
 * execution that began after it was stored did the step again. An effect
 * without a stored result is none of that: its process died in between.
 */
export function checkLedger({ runs, journal }: Records, ledger: readonly LedgerRow[]): string[] {
  const effects = ledger.filter(({ kind }) => kind === 'effect');
  const effectsByStep = groupBy(effects, ({ run, step }) => `${run} ${step}`);
  const effectsByValue = groupBy(effects, ({ value }) => value);
  const begunAt = new Map(
    ledger.filter(({ kind }) => kind === 'begin').map((row) => [row.execution, row.at]),
  );
  const byEffects = new Set(ledger.map(({ run }) => run));
  const stored = journal.filter((row) => row.type === 'step:complete' && byEffects.has(row.run_id));
  const violations = stored.flatMap((row) => {
    const value: unknown = row.data === null ? null : JSON.parse(row.data);
    if (typeof value !== 'string') return [];
    const sources = effectsByValue.get(value) ?? [];
    const again = (effectsByStep.get(`${row.run_id} ${row.step_name}`) ?? []).filter((effect) =>
      beganAfter(begunAt.get(effect.execution), row),
    );
    return [
      ...(sources.length === 1 ? [] : [`${nameOf(row)} is stored with ${sources.length} effects`]),
      ...(sources.every((source) => source.run === row.run_id && source.step === row.step_name)
        ? []
        : [`${nameOf(row)} is stored with another step's effect`]),
      ...again.map(() => `${nameOf(row)} was done again after it was stored`),
    ];
  });
  const storedByRun = groupBy(stored, ({ run_id }) => run_id);
  return [...violations, ...runs.flatMap((run) => checkOutput(run, storedByRun.get(run.id) ?? []))];
}

/** Both are the machine's clock, one of them cut to whole ms. */
function beganAfter(beganAt: number | undefined, stored: JournalRecord): boolean {
  return beganAt !== undefined && beganAt > stored.created_at + 2;
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
