import type { NewRun } from '../../../../core/triggers/new-run.ts';
import type { Sql } from '../../../writes.ts';
import { storedLimitKey, storedRateKey } from '../claims/limit-keys.ts';

/** A longer payload is sent as a parameter of its own, because JSON around it would be escaped and parsed. */
const LARGE_CHARS = 256 * 1024;
/** Servers limit the size of a parameter, so many runs are sent as several statements of one batch. */
const BATCH_ROWS = 500;
const BATCH_CHARS = 1024 * 1024;

/** What most runs don't have: without it a statement is shorter. */
const OPTIONS = [
  'due',
  'priority',
  'ttl',
  'timeout',
  'limitKey',
  'throttleKey',
  'idempotencyTtlMs',
  'coalesce',
  'debounce',
  'pluginData',
] as const satisfies readonly (keyof NewRun)[];

/** Whether a run has options that most runs don't have. */
export function hasOptions(run: NewRun): boolean {
  for (const option of OPTIONS) if (run[option] !== undefined) return true;
  return false;
}

/** Whether the trigger looks for a run that is there already by another key than the idempotency key. */
export function isFound({ coalesce, debounce }: NewRun): boolean {
  return coalesce !== undefined || debounce !== undefined;
}

export function sumOfChars(runs: readonly NewRun[]): number {
  let chars = 0;
  for (const run of runs) chars += charsOf(run);
  return chars;
}

function charsOf({ payload, labels, pluginData }: NewRun): number {
  return payload.length + (labels?.length ?? 0) + (pluginData?.length ?? 0);
}

export function toSql(sql: string, runs: readonly NewRun[]): Sql {
  const [first] = runs;
  if (first && runs.length === 1 && first.payload.length > LARGE_CHARS) {
    const parameters = [JSON.stringify([toValues(first, null)]), first.payload];
    return { sql, parameters };
  }
  const values = runs.map((run) => toValues(run, run.payload));
  return { sql, parameters: [JSON.stringify(values), ''] };
}

/** A list, because a name for each value would make the statement a tenth slower. */
function toValues(run: NewRun, payload: string | null): readonly (string | number | null)[] {
  const { id, jobName, idempotencyKey, concurrencyKey, labels, due, priority, ttl, timeout } = run;
  const values = [id, jobName, payload, idempotencyKey, concurrencyKey, labels];
  if (!hasOptions(run)) return values;
  const afterMs = due !== undefined && 'afterMs' in due ? Math.ceil(due.afterMs) : null;
  const atMs = due !== undefined && 'atMs' in due ? due.atMs : null;
  const { idempotencyTtlMs, coalesce, debounce } = run;
  const found = [idempotencyTtlMs, coalesce, debounce?.key, debounce?.delayMs, debounce?.maxDelayMs].map(
    (each) => each ?? null,
  );
  const limits = [ttl?.ms, ttl?.text, timeout?.ms, timeout?.text].map((each) => each ?? null);
  return [
    ...values,
    afterMs,
    atMs,
    priority ?? null,
    ...limits,
    storedLimitKey(run),
    storedRateKey(run),
    ...found,
    run.pluginData ?? null,
  ];
}

/** Divides the runs in order. A large payload gets a statement of its own. */
export function splitForBatch(runs: readonly NewRun[]): NewRun[][] {
  const parts: NewRun[][] = [];
  let part: NewRun[] = [];
  let chars = 0;
  for (const run of runs) {
    const added = charsOf(run);
    const isFull = part.length === BATCH_ROWS || chars + added > BATCH_CHARS || added > LARGE_CHARS;
    if (part.length > 0 && (isFull || chars > LARGE_CHARS)) {
      parts.push(part);
      part = [];
      chars = 0;
    }
    part.push(run);
    chars += added;
  }
  return [...parts, part];
}
