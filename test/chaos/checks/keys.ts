import { groupBy } from '../support/group-by.ts';
import type { LedgerRow } from '../support/ledger.ts';
import { type JournalRecord, journalByRun, type Records, type RunRecord } from '../support/records.ts';

/**
 * Whether at most one run of each concurrency key ran at a time, and the oldest waiting run went first. The
 * history must contain no hand-backs, because these write no event.
 */
export function checkKeys({ runs, journal }: Records): string[] {
  const keyed = new Map(runs.filter((run) => run.concurrency_key !== null).map((run) => [run.id, run]));
  const lines = new Map<string, KeyLine>();
  for (const row of journal) {
    const run = keyed.get(row.run_id);
    if (run === undefined) continue;
    const key = run.concurrency_key ?? '';
    const line = lines.get(key) ?? new KeyLine(key);
    lines.set(key, line);
    line.read(run, row.type);
  }
  return [...lines.values()].flatMap(({ violations }) => violations);
}

class KeyLine {
  readonly violations: string[] = [];
  readonly #key: string;
  readonly #waiting = new Map<string, RunRecord>();
  #holder: string | undefined;

  constructor(key: string) {
    this.#key = key;
  }

  read(run: RunRecord, type: string): void {
    switch (type) {
      case 'run:trigger':
      case 'run:retry':
        this.#waiting.set(run.id, run);
        break;
      case 'run:start':
      case 'run:resume':
        this.#start(run);
        break;
      case 'run:complete':
      case 'run:fail':
      case 'run:cancel':
        this.#waiting.delete(run.id);
        if (this.#holder === run.id) this.#holder = undefined;
        break;
    }
  }

  #start(run: RunRecord): void {
    const complain = (text: string) => this.violations.push(`key ${this.#key}: ${run.id} started ${text}`);
    if (this.#holder !== undefined && this.#holder !== run.id) complain(`while ${this.#holder} ran`);
    const older = [...this.#waiting.values()].find((other) => other.seq < run.seq);
    if (this.#waiting.delete(run.id) && older) complain(`before ${older.id}, which is older`);
    this.#holder = run.id;
  }
}

/**
 * Whether the effects of jobs with one key did not overlap in real time. Code that continues after its claim
 * has ended does not count. Runs whose lease was given up are left out, because their hand-back writes no
 * event.
 */
export function checkOverlaps(
  { journal }: Records,
  ledger: readonly LedgerRow[],
  isExempt: (run: string) => boolean,
): string[] {
  const byRun = journalByRun(journal);
  const spans = new Map<string, { run: string; key: string; from: number; to: number; until: number }>();
  for (const { kind, execution, run, claim, key, at } of ledger) {
    if (kind === 'begin' && key !== undefined) {
      spans.set(execution, {
        run,
        key,
        from: at,
        to: at,
        until: endOfClaim(byRun.get(run) ?? [], claim),
      });
    }
    const span = spans.get(execution);
    if (span) span.to = Math.max(span.from, Math.min(at, span.until));
  }
  const kept = [...spans.values()].filter(({ run }) => !isExempt(run));
  return [...groupBy(kept, ({ key }) => key)].flatMap(([key, ofKey]) => {
    const inOrder = ofKey.sort((one, other) => one.from - other.from);
    return inOrder.flatMap((span, i) => {
      const before = inOrder[i - 1];
      if (before === undefined || before.to <= span.from) return [];
      return [`key ${key}: ${span.run} did something while ${before.run} did`];
    });
  });
}

const ENDS = ['run:start', 'run:resume', 'run:complete', 'run:fail', 'run:cancel'];

/** Real time by the database's clock, which is this machine's, ms. */
function endOfClaim(rows: readonly JournalRecord[], claim: number): number {
  const start = rows.findIndex((row) => row.claim === claim);
  return (
    rows.slice(start + 1).find(({ type }) => ENDS.includes(type))?.created_at ?? Number.POSITIVE_INFINITY
  );
}
