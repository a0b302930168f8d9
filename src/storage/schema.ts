import type { Generated } from 'kysely';
import type { JournalEventType } from '../core/events.ts';
import type { RunStatus } from '../core/run.ts';
import type { LogLevel } from '../core/step.ts';

/** The tables as `migrations/` makes them. Times are ms since the epoch. */
export interface Schema {
  durably_runs: RunsTable;
  durably_steps: StepsTable;
  durably_journal: JournalTable;
  durably_labels: LabelsTable;
  durably_deletions: DeletionsTable;
  durably_schema_versions: SchemaVersionsTable;
  sqlite_master: { type: string; name: string; sql: string | null };
}

export interface RunsTable {
  seq: Generated<number>;
  id: string;
  job_name: string;
  status: Generated<RunStatus>;
  key_turn: Generated<number>;
  attempt: Generated<number>;
  step_count: Generated<number>;
  lost_count: Generated<number>;
  append_count: Generated<number>;
  claim_token: string | null;
  heartbeat_at: number | null;
  created_at: Generated<number>;
  started_at: number | null;
  completed_at: number | null;
  updated_at: Generated<number>;
  idempotency_key: string | null;
  concurrency_key: string | null;
  progress: string | null;
  error: string | null;
  output: string | null;
  payload: string;
  /** JSON text; null when there are none. */
  labels: string | null;
  /** JSON text. */
  error_detail: string | null;
  failed_step_name: string | null;
  /** 1: the last claim took the run from a worker that had vanished. */
  taken_over: Generated<number>;
}

interface StepsTable {
  run_id: string;
  name: string;
  step_index: number;
  status: 'completed' | 'failed';
  /** The journal row that holds its outcome. */
  sequence: number;
}

interface JournalTable {
  sequence: Generated<number>;
  run_id: string;
  job_name: string;
  type: JournalEventType;
  created_at: Generated<number>;
  attempt: number | null;
  /** Of rows from before the third migration only. */
  append_no: number | null;
  step_name: string | null;
  step_index: number | null;
  level: LogLevel | null;
  message: string | null;
  duration_ms: number | null;
  data: string | null;
}

/** The runs' labels once more, one by one. */
interface LabelsTable {
  key: string;
  value: string;
  run_seq: number;
}

/** Deleted runs of which something is left over. */
interface DeletionsTable {
  run_id: string;
  /** The `run:delete` row. */
  sequence: number;
  portions: Generated<number>;
}

interface SchemaVersionsTable {
  version: number;
  name: string;
  applied_at: number;
}
