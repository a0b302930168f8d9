import { groupBy } from './group-by.ts';
import type { LedgerRow } from './ledger.ts';
import type { Records, RunRecord } from './records.ts';

/**
 * Whether at most one run of each concurrency key ran at a time, and the oldest
 * waiting one went first. Only for a history without hand-backs, which leave no
 * trace in the journal.
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
 * Whether what the jobs did under one key did not overlap in real time. Only
 * for runs that were not cancelled and kept their leases as long as their
 * process lived: code that goes on after that is no run any more.
 */
export function checkOverlaps(ledger: readonly LedgerRow[], isExempt: (run: string) => boolean): string[] {
  const spans = new Map<string, { run: string; key: string; from: number; to: number }>();
  for (const { kind, execution, run, key, at } of ledger) {
    if (kind === 'begin' && key !== undefined) spans.set(execution, { run, key, from: at, to: at });
    const span = spans.get(execution);
    if (span) span.to = at;
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
