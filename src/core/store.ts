import type { JournalNote, JournalRow } from './events.ts';
import type { Run, RunCommand, RunQuery } from './run.ts';
import type { LogLevel, LogLine, Step } from './step.ts';

/** A run to be stored, its payload, keys and labels already checked. */
export interface NewRun {
  readonly id: string;
  readonly jobName: string;
  /** JSON text. */
  readonly payload: string;
  readonly idempotencyKey: string | null;
  readonly concurrencyKey: string | null;
  /** JSON text; null without any. */
  readonly labels: string | null;
}

export interface Enqueued {
  readonly run: Run;
  /** False when the idempotency key already had a run: `run` is that one. */
  readonly created: boolean;
}

/** The right to write for a run: valid while the run is running under this attempt. */
export interface Lease {
  readonly runId: string;
  readonly attempt: number;
}

export interface HandedBackRun extends Lease {
  readonly jobName: string;
}

export interface ClaimRequest {
  readonly jobNames: readonly string[];
  /** How many runs at most. */
  readonly limit: number;
  readonly claimToken: string;
  /** Asked before in vain, with this token: what that may have taken is looked for first. */
  readonly isAskedAgain: boolean;
  /** A running run whose heartbeat is older than this is taken over. */
  readonly staleThresholdMs: number;
  /** Whether one run may be taken over that lost its worker too often to be above suspicion. */
  readonly takesSuspect: boolean;
}

export interface ClaimedRun extends Lease {
  readonly jobName: string;
  /** JSON text. */
  readonly payload: string;
  readonly concurrencyKey: string | null;
  /** Finished steps that wait to be replayed. */
  readonly stepCount: number;
  /** Owners that vanished in a row, without a newly stored step. */
  readonly lostCount: number;
  /** It was taken from a worker that had vanished. */
  readonly isTakeover: boolean;
}

export interface LostRun extends Lease {
  readonly jobName: string;
  readonly error: string;
}

export interface Claim {
  readonly runs: readonly ClaimedRun[];
  /** Runs that were not claimed but failed, because their workers vanished too often. */
  readonly lost: readonly LostRun[];
  /** Whether more pending runs of these jobs were left. */
  readonly more: boolean;
}

/**
 * One thing that a run's owner tells. A step's outcome is projected onto the
 * steps, a run's outcome and progress onto the run, in the same statement.
 */
export interface OwnerNote extends JournalNote {
  readonly type:
    | 'step:start'
    | 'step:complete'
    | 'step:fail'
    | 'run:progress'
    | 'log:write'
    | 'run:complete'
    | 'run:fail';
}

export interface OwnerEntry {
  readonly note: OwnerNote;
  /** How long before the append it happened. */
  readonly ageMs: number;
}

export interface Append {
  readonly lease: Lease;
  /** 1, 2, … within the attempt: an append sent twice is stored once. */
  readonly number: number;
  readonly entries: readonly OwnerEntry[];
}

export interface CompletedStep {
  readonly name: string;
  /** JSON text; null for undefined. */
  readonly output: string | null;
}

/** What became of a caller's command: done, or why not. */
export type CommandResult =
  | { readonly kind: 'done'; readonly jobName: string }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'wrong-state'; readonly status: Run['status'] };

export interface LogPage {
  readonly runId: string;
  readonly level: LogLevel | null;
  readonly after: number;
  readonly limit: number;
}

/**
 * All that the engine asks of a database. Each write is one statement, atomic
 * with its journal rows; each write of an owner is fenced by its lease.
 *
 * Every method may throw {@link DatabaseUnavailableError}.
 */
export interface Store {
  /** Brings the schema up to date. Safe in several processes at once. @throws {SchemaMismatchError} */
  migrate(): Promise<void>;

  enqueue(runs: readonly NewRun[]): Promise<Enqueued[]>;
  claim(request: ClaimRequest): Promise<Claim>;

  /** Appends all entries in order, or none: `refused` when the lease is no longer held. */
  append(append: Append): Promise<'stored' | 'refused'>;
  /** Renews all leases; answers with those still held. */
  renew(leases: readonly Lease[]): Promise<Lease[]>;
  /** Returns runs to pending, their attempt kept; answers with those that were still held. */
  handBack(leases: readonly Lease[]): Promise<HandedBackRun[]>;

  command(command: RunCommand, runId: string): Promise<CommandResult>;

  getRun(runId: string): Promise<Run | null>;
  getRuns(query: RunQuery): Promise<Run[]>;
  getSteps(runId: string): Promise<Step[]>;
  getLogs(page: LogPage): Promise<LogLine[]>;
  getCompletedSteps(runId: string): Promise<CompletedStep[]>;

  /** The newest sequence of the journal; 0 when it is empty. */
  journalHead(): Promise<number>;
  /** Rows after a sequence, oldest first; with their runs' labels if asked for. */
  readJournal(page: { after: number; limit: number; withLabels: boolean }): Promise<JournalRow[]>;
  readRunJournal(page: { runId: string; after: number; limit: number }): Promise<JournalRow[]>;

  /** Forgets `run:delete` rows older than a day. */
  purge(): Promise<void>;
  /** Resolves when the database is migrated and takes writes. */
  ping(): Promise<void>;
}
