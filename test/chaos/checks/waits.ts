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
}

/**
 * Whether claims took runs in their order: those that were pending by the journal before, and those that were due for
 * longer than one polling interval, come before younger ones. Each process looks for due runs at least that often.
 *
 * A hand-back has no event, so a run that was handed back is not expected to be claimed.
 */
export function checkOrder({ runs, journal }: Records, pollingMs: number): string[] {
  const line = new Line(runs, pollingMs);
  for (const row of journal) line.read(row);
  return line.violations;
}

class Line {
  readonly violations: string[] = [];
  readonly #byId: ReadonlyMap<string, RunRecord>;
  readonly #waiting = new Map<string, Waiting>();
  readonly #pollingMs: number;

  constructor(runs: readonly RunRecord[], pollingMs: number) {
    this.#byId = new Map(runs.map((run) => [run.id, run]));
    this.#pollingMs = pollingMs;
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
    this.#waiting.set(run.id, { run, dueAt: dueAt ?? Number.POSITIVE_INFINITY, waits, isPending });
  }

  #wake(runId: string, isMet: (wait: Wait) => boolean): void {
    const waiting = this.#waiting.get(runId);
    if (waiting?.waits.some(isMet)) waiting.isPending = true;
  }

  #claim(run: RunRecord, { sequence, created_at }: JournalRecord): void {
    // A takeover is of a running run, and says nothing of the pending ones.
    if (!this.#waiting.delete(run.id)) return;
    for (const { run: older, dueAt, isPending } of this.#waiting.values()) {
      if (older.seq > run.seq) continue;
      if (isPending)
        this.violations.push(`${older.id} was pending, and ${run.id} was claimed before it (${sequence})`);
      else if (dueAt + this.#pollingMs < created_at)
        this.violations.push(
          `${older.id} was due for ${created_at - dueAt} ms, and ${run.id} was claimed before it (${sequence})`,
        );
    }
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
    }
  }
  return latest;
}
