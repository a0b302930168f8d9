import { groupBy } from '../support/group-by.ts';
import type { LedgerRow } from '../support/ledger.ts';
import type { JournalRecord, Records } from '../support/records.ts';

/**
 * Whether the effects in the ledger match the journal:
 *
 * - each stored result comes from one effect of that step under that claim;
 * - no worker did a step that was stored under an earlier claim;
 * - no worker did a step twice under one claim;
 * - an effect without a stored result belongs to a claim that was cut short: its process died, or it lost its
 * run.
 *
 * The check needs no clock. Claims are numbered, and results of an earlier claim were stored before a later one
 * began. A worker that has lost its run without knowing it may repeat what its successor did.
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

/** Steps with effects fail before the effect or not at all, so none is repeated under one claim. */
function findTwice(effects: readonly LedgerRow[]): string[] {
  const calls = groupBy(effects, ({ run, claim, step }) => `claim ${claim} of ${run} did "${step}"`);
  return [...calls].flatMap(([call, rows]) => (rows.length > 1 ? [`${call} ${rows.length} times`] : []));
}

/** A worker that completed a run has stored all its effects. A worker that failed it may have left parallel steps. */
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

/** A run's output consists of its stored steps, from whichever claims. */
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
