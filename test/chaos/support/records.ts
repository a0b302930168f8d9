import Database from 'libsql';
import { groupBy } from './group-by.ts';

export interface RunRecord {
  readonly seq: number;
  readonly id: string;
  readonly job_name: string;
  readonly status: 'pending' | 'waiting' | 'running' | 'completed' | 'failed' | 'cancelled';
  readonly attempt: number;
  readonly step_count: number;
  readonly idempotency_key: string | null;
  readonly concurrency_key: string | null;
  readonly output: string | null;
  readonly error: string | null;
  readonly payload: string;
  readonly priority: number;
  readonly depth: number;
  readonly parent_run_id: string | null;
}

export interface StepRecord {
  readonly run_id: string;
  readonly name: string;
  readonly status: 'completed' | 'failed' | 'open';
  readonly kind: 'run' | 'sleep' | 'signal' | 'invoke' | 'transaction';
  readonly sequence: number;
  readonly child_run_id: string | null;
}

export interface SignalRecord {
  readonly seq: number;
  readonly run_id: string;
  readonly name: string;
  readonly signal_id: string;
  readonly is_taken: 0 | 1;
  readonly payload: string;
}

export interface JournalRecord {
  readonly sequence: number;
  readonly run_id: string;
  readonly type: string;
  readonly created_at: number;
  readonly attempt: number | null;
  /** The number of claims of the run up to and including this row. */
  readonly claim: number;
  readonly step_name: string | null;
  readonly message: string | null;
  readonly data: string | null;
}

/** The contents of the database, read by a process that has written nothing. */
export interface Records {
  readonly runs: readonly RunRecord[];
  readonly steps: readonly StepRecord[];
  readonly journal: readonly JournalRecord[];
  readonly signals: readonly SignalRecord[];
}

export function readRecords(path: string): Records {
  return withDatabase(path, (database) => {
    const all = (sql: string) => database.prepare(sql).all();
    // One snapshot for all reads.
    database.exec('begin');
    return toRecords({
      runs: all('select * from durably_runs order by seq'),
      steps: all('select * from durably_steps'),
      journal: all('select * from durably_journal order by sequence'),
      signals: all('select * from durably_signals order by seq'),
    });
  });
}

/** The rows of the tables as records; the journal's in order. */
export function toRecords(rows: {
  readonly runs: readonly unknown[];
  readonly steps: readonly unknown[];
  readonly journal: readonly unknown[];
  readonly signals: readonly unknown[];
}): Records {
  return {
    runs: rows.runs as RunRecord[],
    steps: rows.steps as StepRecord[],
    journal: withClaims(rows.journal as Omit<JournalRecord, 'claim'>[]),
    signals: rows.signals as SignalRecord[],
  };
}

function withClaims(journal: readonly Omit<JournalRecord, 'claim'>[]): JournalRecord[] {
  const claims = new Map<string, number>();
  return journal.map((row) => {
    const claim = (claims.get(row.run_id) ?? 0) + (isClaim(row) ? 1 : 0);
    claims.set(row.run_id, claim);
    return { ...row, claim };
  });
}

/** Whether a claim wrote the row. A claim also fails runs that lost too many workers. */
function isClaim({ type, message }: Pick<JournalRecord, 'type' | 'message'>): boolean {
  return type === 'run:start' || type === 'run:resume' || (message?.startsWith('worker lost') ?? false);
}

/** Answers with the number of runs that have not ended, as `open`. */
export const OPEN =
  "select count(*) as open from durably_runs where status in ('pending', 'waiting', 'running')";

export function countOpen(path: string): number {
  return withDatabase(path, (database) => (database.prepare(OPEN).get() as { open: number }).open);
}

export function withDatabase<T>(path: string, work: (database: Database.Database) => T): T {
  const database = new Database(path, { timeout: 10_000 } as Database.Options);
  try {
    return work(database);
  } finally {
    database.close();
  }
}

/** The journal of each run, in order. */
export function journalByRun(journal: readonly JournalRecord[]): Map<string, JournalRecord[]> {
  return groupBy(journal, ({ run_id }) => run_id);
}
