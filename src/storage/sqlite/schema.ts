import type { Generated } from 'kysely';
import type { JournalEventType } from '../../core/events.ts';
import type { LogLevel } from '../../core/log-line.ts';
import type { ClaimKind } from '../../core/ownership/claim.ts';
import type { RunStatus } from '../../core/run.ts';
import type { MissedPolicy, OverlapPolicy } from '../../core/schedules/schedule.ts';
import type { StepKind } from '../../core/step.ts';

/** The tables as `migrations/sqlite/` makes them. Times are ms since the epoch. */
export interface Schema {
  durably_runs: RunsTable;
  durably_steps: StepsTable;
  durably_journal: JournalTable;
  durably_labels: LabelsTable;
  durably_deletions: DeletionsTable;
  durably_signals: SignalsTable;
  durably_paused_jobs: PausedJobsTable;
  durably_schedules: SchedulesTable;
  durably_schema_versions: SchemaVersionsTable;
  sqlite_master: { type: string; name: string; sql: string | null };
}

export interface RunsTable {
  seq: Generated<number>;
  id: string;
  job_name: string;
  status: Generated<RunStatus>;
  key_turn: Generated<number>;
  claim_kind: Generated<ClaimKind>;
  attempt: Generated<number>;
  fence: Generated<number>;
  step_count: Generated<number>;
  lost_count: Generated<number>;
  retry_count: Generated<number>;
  append_count: Generated<number>;
  priority: Generated<number>;
  last_command: 'cancel' | 'retry' | 'reschedule' | null;
  claim_token: string | null;
  heartbeat_at: number | null;
  created_at: Generated<number>;
  started_at: number | null;
  completed_at: number | null;
  updated_at: Generated<number>;
  due_at: number | null;
  /** The version of the job with which it first started. */
  version: number | null;
  ttl_ms: number | null;
  ttl: string | null;
  timeout_ms: number | null;
  timeout: string | null;
  /** When it fails if it has not been started, or has not ended, by then. */
  deadline_at: number | null;
  waited_fence: number | null;
  scheduled_for: number | null;
  schedule_id: string | null;
  parent_run_id: string | null;
  depth: Generated<number>;
  forked_from: string | null;
  cancels_below: Generated<number>;
  idempotency_key: string | null;
  key_generation: Generated<number>;
  idempotency_until: number | null;
  debounce_key: string | null;
  debounced_by: string | null;
  debounce_count: Generated<number>;
  /** JSON text: what plugins keep with it, by their names. */
  plugin_data: string | null;
  /** JSON text: the payload with which its idempotency key came, if another trigger has changed it since. */
  keyed_payload: string | null;
  /** When its delay was over. */
  due_since: number | null;
  concurrency_key: string | null;
  /** Its keys for the limits of its job. */
  limit_key: string | null;
  rate_key: string | null;
  holds: Generated<number>;
  rate_interval_ms: number | null;
  rate_per_ms: number | null;
  /** JSON text; null without labels. */
  labels: string | null;
  failed_step_name: string | null;
  /** JSON text. */
  progress: string | null;
  /** JSON text. */
  waits: string | null;
  error: string | null;
  /** JSON text. */
  error_detail: string | null;
  /** JSON text. */
  output: string | null;
  /** JSON text. */
  payload: string;
}

interface StepsTable {
  run_id: string;
  name: string;
  step_index: number;
  kind: Generated<StepKind>;
  /** `open`: it waits, or was tried and is to be tried again. */
  status: 'completed' | 'failed' | 'open';
  /** How many tries of an open step failed. */
  tries: Generated<number>;
  /** When an open step's wait is over, or its next try is due. */
  due_at: number | null;
  /** The run that it has started. */
  child_run_id: string | null;
  /** The journal row with its outcome. */
  sequence: number;
}

interface JournalTable {
  sequence: Generated<number>;
  run_id: string;
  job_name: string;
  type: JournalEventType;
  created_at: Generated<number>;
  attempt: number | null;
  step_name: string | null;
  step_index: number | null;
  level: LogLevel | null;
  message: string | null;
  duration_ms: number | null;
  data: string | null;
}

/** The labels of runs, one row each. */
interface LabelsTable {
  key: string;
  value: string;
  run_seq: number;
}

/** The signals that were sent to runs. */
interface SignalsTable {
  seq: Generated<number>;
  id: string;
  run_id: string;
  name: string;
  signal_id: string;
  is_taken: Generated<number>;
  created_at: Generated<number>;
  /** JSON text. */
  payload: string;
}

/** Deleted runs that have rows left. */
interface DeletionsTable {
  run_id: string;
  /** The `run:delete` row. */
  sequence: number;
  portions: Generated<number>;
}

/** The jobs of which no run is claimed. */
interface PausedJobsTable {
  job_name: string;
  paused_at: Generated<number>;
}

/** When runs are triggered by workers. */
interface SchedulesTable {
  id: string;
  job_name: string;
  revision: string;
  /** JSON text. */
  timing: string;
  anchor_at: number;
  next_at: number | null;
  paused_at: number | null;
  fixed_version: number | null;
  missed: MissedPolicy;
  overlap: OverlapPolicy;
  priority: Generated<number>;
  limit_key: string | null;
  rate_key: string | null;
  created_at: Generated<number>;
  updated_at: Generated<number>;
  /** JSON text. */
  labels: string | null;
  /** JSON text. */
  payload: string;
}

interface SchemaVersionsTable {
  version: number;
  name: string;
  applied_at: number;
}
