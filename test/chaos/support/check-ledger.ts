import { groupBy } from './group-by.ts';
import type { LedgerRow } from './ledger.ts';
import type { JournalRecord, Records } from './records.ts';

/**
 * Whether what the jobs did outside, by the ledger, is what the journal says:
 *
 * - each stored result came from one effect, of that step under that claim;
 * - no worker did a step that was stored under an earlier claim than its own;
 * - no worker did a step twice under one claim;
 * - an effect without a stored result belongs to a claim that was cut short:
 *   its process died, or its run was no longer its own.
 *
 * No clock is asked: claims are numbered, and whatever was stored under an
 * earlier one was there before a later one began. A worker that has lost its
 * run, and doesn't know yet, may do what the next has done.
 */
export function checkLedger({ runs, journal }: Records, ledger: readonly LedgerRow[]): string[] {
  const known = new Set(runs.map(({ id }) => id));
  const effects = ledger.filter(({ kind, run }) => kind === 'effect' && known.has(run));
  const byEffects = new Set(ledger.map(({ run }) => run));
  const stored = journal.filter(({ type, run_id }) => type === 'step:complete' && byEffects.has(run_id));
  const storedByRun = groupBy(stored, ({ run_id }) => run_id);
  return [
    ...checkSources(stored, effects),
    ...findRepeated(storedByRun, effects),
    ...findTwice(effects),
    ...findForgotten({ journal, stored, effects }),
    ...runs.flatMap((run) => checkOutput(run, storedByRun.get(run.id) ?? [])),
  ];
}

function checkSources(stored: readonly JournalRecord[], effects: readonly LedgerRow[]): string[] {
  const byValue = groupBy(effects, ({ value }) => value);
  return stored.flatMap((row) => {
    const value: unknown = JSON.parse(row.data ?? 'null');
    if (typeof value !== 'string') return [];
    const sources = byValue.get(value) ?? [];
    const isItsOwn = sources.every(
      ({ run, step, claim }) => run === row.run_id && step === row.step_name && claim === row.claim,
    );
    return [
      ...(sources.length === 1 ? [] : [`${nameOf(row)} is stored with ${sources.length} effects`]),
      ...(isItsOwn ? [] : [`${nameOf(row)} is stored with another step's or claim's effect`]),
    ];
  });
}

function findRepeated(
  storedByRun: ReadonlyMap<string, readonly JournalRecord[]>,
  effects: readonly LedgerRow[],
): string[] {
  return effects.flatMap(({ run, step, claim }) => {
    const before = storedByRun.get(run)?.find((row) => row.step_name === step && row.claim < claim);
    return before === undefined ? [] : [`claim ${claim} did ${nameOf(before)} again`];
  });
}

/** Steps with effects fail before them or not at all, so that none is done again under one claim. */
function findTwice(effects: readonly LedgerRow[]): string[] {
  const calls = groupBy(effects, ({ run, claim, step }) => `claim ${claim} of ${run} did "${step}"`);
  return [...calls].flatMap(([call, rows]) => (rows.length > 1 ? [`${call} ${rows.length} times`] : []));
}

/** The worker that completed a run has stored all it did; one that failed it may have left parallel steps behind. */
function findForgotten({
  journal,
  stored,
  effects,
}: {
  journal: readonly JournalRecord[];
  stored: readonly JournalRecord[];
  effects: readonly LedgerRow[];
}): string[] {
  const values = new Set(stored.map(({ data }) => data));
  const completions = journal.filter(({ type }) => type === 'run:complete');
  const completed = new Set(completions.map(({ run_id, claim }) => `${run_id} ${claim}`));
  return effects.flatMap(({ run, claim, step, value }) => {
    const isStored = values.has(JSON.stringify(value));
    if (isStored || !completed.has(`${run} ${claim}`)) return [];
    return [`claim ${claim} of ${run} completed it, but its effect of "${step}" is not stored`];
  });
}

/** A run's output is made of what its steps stored, under whichever claim. */
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
