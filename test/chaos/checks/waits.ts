import type { LedgerRow } from '../support/ledger.ts';
import type { JournalRecord, Records, RunRecord } from '../support/records.ts';

interface Wait {
  readonly kind: string;
  readonly signal?: string;
  readonly runId?: string;
}

interface WaitRow {
  readonly dueAt?: number | null;
  readonly waits?: readonly Wait[];
}

/** When a run may be claimed: from a place in the journal on, or from a time on. */
interface Waiting {
  readonly run: RunRecord;
  readonly dueAt: number;
  readonly waits: readonly Wait[];
  isPending: boolean;
  /** When each process claimed a younger run first, although this one was due. */
  readonly passedAt: Map<number, number>;
}

/**
 * Whether claims took runs in their order: those that were pending by the journal before, and those that were due for
 * longer than one polling interval, come before younger ones.
 *
 * Each process looks for due runs that often. Its claim may have been decided before, and have waited for other writers,
 * but not its next one. A hand-back has no event, so a run that was handed back is not expected to be claimed.
 */
export function checkOrder(
  { runs, journal }: Records,
  ledger: readonly LedgerRow[],
  pollingMs: number,
): string[] {
  const begun = ledger.filter(({ kind }) => kind === 'begin');
  const pids = new Map(begun.map(({ run, claim, pid }) => [`${run} ${claim}`, pid]));
  const line = new Line(runs, { pollingMs, pidOf: ({ run_id, claim }) => pids.get(`${run_id} ${claim}`) });
  for (const row of journal) line.read(row);
  return line.violations;
}

interface LineOptions {
  readonly pollingMs: number;
  /** The process of a claim. Undefined if that ended before its job began. */
  readonly pidOf: (row: JournalRecord) => number | undefined;
}

class Line {
  readonly violations: string[] = [];
  readonly #byId: ReadonlyMap<string, RunRecord>;
  readonly #waiting = new Map<string, Waiting>();
  readonly #options: LineOptions;

  constructor(runs: readonly RunRecord[], options: LineOptions) {
    this.#byId = new Map(runs.map((run) => [run.id, run]));
    this.#options = options;
  }

  read(row: JournalRecord): void {
    const run = this.#byId.get(row.run_id);
    if (run === undefined) return;
    switch (row.type) {
      case 'run:trigger':
        return this.#add(run, { dueAt: runAtOf(row.data) }, runAtOf(row.data) === null);
      case 'run:wait':
      case 'run:retry':
        return this.#add(run, JSON.parse(row.data ?? '{}'), false);
      case 'run:signal':
        return this.#wake(row.run_id, ({ signal }) => signal === row.message);
      case 'run:start':
      case 'run:resume':
        return this.#claim(run, row);
      case 'run:complete':
      case 'run:fail':
      case 'run:cancel':
        this.#waiting.delete(run.id);
        if (run.parent_run_id !== null) this.#wake(run.parent_run_id, ({ runId }) => runId === run.id);
    }
  }

  #add(run: RunRecord, { dueAt, waits = [] }: WaitRow, isPending: boolean): void {
    this.#waiting.set(run.id, {
      run,
      dueAt: dueAt ?? Number.POSITIVE_INFINITY,
      waits,
      isPending,
      passedAt: new Map(),
    });
  }

  #wake(runId: string, isMet: (wait: Wait) => boolean): void {
    const waiting = this.#waiting.get(runId);
    if (waiting?.waits.some(isMet)) waiting.isPending = true;
  }

  #claim(run: RunRecord, row: JournalRecord): void {
    // A takeover is of a running run, and says nothing of the pending ones.
    if (!this.#waiting.delete(run.id)) return;
    for (const waiting of this.#waiting.values()) if (waiting.run.seq < run.seq) this.#pass(waiting, row);
  }

  /** A younger run was claimed first. */
  #pass({ run, dueAt, isPending, passedAt }: Waiting, row: JournalRecord): void {
    const { pollingMs, pidOf } = this.#options;
    const { created_at, run_id, sequence } = row;
    if (isPending) {
      this.violations.push(`${run.id} was pending, and ${run_id} was claimed before it (${sequence})`);
      return;
    }
    const pid = pidOf(row);
    if (pid === undefined || dueAt + pollingMs >= created_at) return;
    const before = passedAt.get(pid) ?? created_at;
    passedAt.set(pid, before);
    if (before < created_at)
      this.violations.push(
        `${run.id} was due for ${created_at - dueAt} ms, and ${run_id} was claimed before it (${sequence})`,
      );
  }
}

function runAtOf(data: string | null): number | null {
  const { runAt } = JSON.parse(data ?? '{}') as { runAt?: string };
  return runAt === undefined ? null : Date.parse(runAt);
}

/** The most time between the moment at which a run was due and its claim, ms. */
export function findLateness({ journal }: Records): number {
  const due = new Map<string, number>();
  let latest = 0;
  for (const { run_id, type, data, created_at } of journal) {
    if (type === 'run:wait' || type === 'run:retry') {
      const { dueAt } = JSON.parse(data ?? '{}') as WaitRow;
      if (dueAt != null) due.set(run_id, dueAt);
    } else if (type === 'run:start' || type === 'run:resume') {
      latest = Math.max(latest, created_at - (due.get(run_id) ?? created_at));
      due.delete(run_id);
    } else if (type === 'run:cancel' || type === 'run:fail') {
      due.delete(run_id);
    }
  }
  return latest;
}
