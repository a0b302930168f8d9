import type { Call } from './call.ts';
import type { DatabaseTrouble } from './durably.ts';
import type { JournalRow } from './events.ts';
import type { RunQuery } from './lists/run-query.ts';
import type { LogLevel, StoredLogLine } from './log-line.ts';
import type { ManagingStore } from './managing/managing-store.ts';
import type { Append, AppendResult } from './ownership/append.ts';
import type {
  CancelledBelow,
  CancelledRun,
  Claim,
  ClaimRequest,
  KnownOfRun,
  Woken,
} from './ownership/claim.ts';
import type { KnownStep, SentSignal } from './ownership/known-step.ts';
import type { Lease, NamedRun } from './ownership/lease.ts';
import type { TransactionStore } from './ownership/step-transaction.ts';
import type { RunCommand, RunStatus, StoredRun } from './run.ts';
import type { DueSchedule } from './schedules/schedule.ts';
import type { ScheduleLook, ScheduleStore } from './schedules/schedule-store.ts';
import type { NewSignal, SignalResult } from './signal.ts';
import type { StatsStore } from './stats/stats-store.ts';
import type { StoredStep } from './step.ts';
import type { ForkResult, NewFork } from './triggers/fork.ts';
import type { Enqueued, NewRun } from './triggers/new-run.ts';
import type { CallerTransaction } from './triggers/trigger-options.ts';

export type { Append, AppendResult, OwnerEntry, OwnerNote } from './ownership/append.ts';

/**
 * How fresh an answer must be. `recently`: a read replica may answer it, which may lack the latest
 * commits. `now`: the answer decides something, so it comes from the primary.
 */
export type Freshness = 'recently' | 'now';

/** Data that was not read now, because it is larger than was known when it was asked for. */
export interface LeftData {
  /** Its size. */
  readonly leftBytes: number;
}

/** A row of a page of the journal. Large data is null, and {@link Store.readJournalData} reads it. */
export interface ListedJournalRow extends JournalRow {
  readonly dataBytes: number;
  readonly isDataLeft: boolean;
  /** Whether its run was deleted. The row counts for the page, but nobody may see it. */
  readonly isLeftOver: boolean;
}

/** A page of one run's rows of the journal. */
export interface RunJournalPage {
  readonly rows: readonly ListedJournalRow[];
  /** The newest sequence of the whole journal when the page was read. */
  readonly head: number;
}

/** A list in parts of bounded size, each read when it is asked for. */
export type Portions<T> = AsyncIterable<readonly T[]>;

export interface StoredRunPage {
  /** The fields of each run that were asked for. */
  readonly portions: Portions<Partial<StoredRun>>;
  /** Where the page ends, for {@link RunQuery.before}. Null at the end of the list. */
  readonly next: number | null;
}

/** The result of a caller's command: done, or why not. */
export type CommandResult =
  | {
      readonly kind: 'done';
      readonly jobName: string;
      /** Whether there may be more for {@link Store.deletePortion}, or after a cancel for {@link Store.cancelBelow}. */
      readonly leavesMore: boolean;
      /** The runs below a cancelled run that were cancelled with it. */
      readonly alsoCancelled: readonly CancelledRun[];
    }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'wrong-state'; readonly status: RunStatus }
  /**
   * It is to be retried or deleted, and runs below it, or below a run above it, are yet to be cancelled. {@link
   * Store.cancelBelow} does that.
   */
  | { readonly kind: 'cancels-below' };

export interface LogPage {
  readonly runId: string;
  readonly level: LogLevel | null;
  readonly after: number;
  readonly limit: number;
}

/** A look for what is due, by a worker that asks for no runs. */
export interface DueLook extends Pick<ClaimRequest, 'staleThresholdMs'> {
  /** Whether to look for schedules, too. */
  readonly schedules?: ScheduleLook | undefined;
}

/**
 * All that the engine asks of a database. Each write is one statement, which also writes
 * its journal rows. Each write of a run's owner names its lease, and changes nothing once
 * a later claim has raised the run's fence.
 *
 * Every method may throw {@link DatabaseUnavailableError}.
 */
export interface Store extends ManagingStore, ScheduleStore, StatsStore, TransactionStore {
  /** Brings the schema up to date. Safe in several processes at once. @throws {SchemaMismatchError} */
  migrate(): Promise<void>;

  /** Stores all runs or none. Returns them in the given order. */
  enqueue(runs: readonly NewRun[]): Promise<Enqueued[]>;
  /**
   * Stores a run in a caller's transaction.
   *
   * @param options.onCommit called after its commit, and never if it is rolled back.
   * @throws {ValidationError} if the transaction is over, or is not one of this store's database.
   */
  enqueueIn(
    transaction: CallerTransaction,
    run: NewRun,
    options: { readonly onCommit: () => void },
  ): Promise<Enqueued>;
  /**
   * Claims runs. The claim leaves with the writes that wait, as the last of them, so it sees what they
   * change. What to claim is decided when it leaves.
   *
   * @param decide returns undefined if nothing should be claimed after all. It may be called again. `seesAll`: no
   *   earlier write waits for a later request.
   * @param options.hasLimits whether some of the jobs have limits.
   * @param options.deadlineMs when to give up, on the monotonic clock. Default: ten seconds from now.
   */
  claim(
    decide: (about: { readonly seesAll: boolean }) => ClaimRequest | undefined,
    options?: { readonly deadlineMs?: number | undefined; readonly hasLimits?: boolean },
  ): Promise<Claim>;

  /** Does what a claim with `wakesDue` does first, and claims nothing. */
  wakeDue(about: DueLook): Promise<Woken & { readonly schedules?: readonly DueSchedule[] | undefined }>;
  /** Says that no run of the job is claimed, by any process, or that runs are claimed again. */
  setPaused(jobName: string, isPaused: boolean): Promise<void>;
  /** By name. */
  listPausedJobs(call?: Call): Promise<string[]>;

  /** Appends all entries in order, or none. */
  append(append: Append): Promise<AppendResult>;
  /** Renews all leases. Returns those that are still held. */
  renew(leases: readonly Lease[]): Promise<Lease[]>;
  /** Puts runs back to pending, with their attempt. Returns those that were still held. */
  handBack(leases: readonly Lease[]): Promise<NamedRun[]>;

  /** Cancelling a run cancels the active runs below it, in the same statement if they are few. */
  command(command: RunCommand, runId: string, call?: Call): Promise<CommandResult>;
  /**
   * Cancels a portion of the active runs below runs that were cancelled, or whose time was up: of those that this run has
   * started, or of any.
   */
  cancelBelow(runId?: string, call?: Call): Promise<CancelledBelow>;

  /** Stores a run with copies of the finished steps before one of another run's steps. */
  fork(fork: NewFork, call?: Call): Promise<ForkResult>;

  /** Stores a signal, and wakes its run if that waits for it. */
  signal(signal: NewSignal): Promise<SignalResult>;
  /** The signals of a run that no step has taken, in the order in which they came. */
  listSignals(runId: string): Promise<SentSignal[]>;
  /** The payload of a signal: JSON text. Undefined if it is gone. */
  readSignal(seq: number): Promise<string | undefined>;
  /** The concurrency keys of the runs above a run. */
  listKeysAbove(runId: string): Promise<string[]>;

  /** Finds every run that exists, whatever the freshness. */
  getRun(runId: string, options?: { readonly asOf?: Freshness } & Call): Promise<StoredRun | null>;
  /** Newest first. */
  listRuns(query: RunQuery, options?: { readonly asOf?: Freshness }): Promise<StoredRunPage>;
  /** By index. */
  listSteps(runId: string): Portions<StoredStep>;
  /** Oldest first. */
  listLogs(page: LogPage): Portions<StoredLogLine>;

  /** All completed and open steps of a run by index, the first ones with their outputs, as many as fit into one answer. */
  listKnownSteps(runId: string): Promise<KnownStep[]>;
  /** What is known of each of these runs, by run. One with too much for one answer may be missing. */
  listKnown(runIds: readonly string[]): Promise<ReadonlyMap<string, KnownOfRun>>;
  readStepOutputs(page: {
    readonly runId: string;
    readonly names: readonly string[];
  }): Promise<ReadonlyMap<string, string | null>>;

  /** The newest sequence of the journal. 0 if it is empty. */
  journalHead(options?: { readonly asOf?: Freshness }): Promise<number>;
  /** Rows after a sequence, oldest first. With the labels of their runs if requested. */
  readJournal(page: {
    readonly after: number;
    readonly limit: number;
    readonly withLabels: boolean;
    readonly asOf?: Freshness;
  }): Promise<ListedJournalRow[]>;
  readRunJournal(page: {
    readonly runId: string;
    readonly after: number;
    readonly limit: number;
    readonly asOf?: Freshness;
  }): Promise<RunJournalPage>;
  /** The data of these rows. Rows that are gone are missing. If not all of them fit into a portion, the first ones are read. */
  readJournalData(sequences: readonly number[]): Promise<ReadonlyMap<number, string | null | LeftData>>;

  /** Removes a portion of the rows that deleted runs left over, which no reader sees. False if there were none. */
  deletePortion(call?: Call): Promise<boolean>;
  /** Removes a portion of the `run:delete` rows older than a day. Returns whether there may be more. */
  purgePortion(): Promise<boolean>;
  /** Removes a portion of the throttles that let a whole burst start, as if they were new. Whether there may be others. */
  forgetThrottles(): Promise<boolean>;
  /** Learns whether other processes have begun to use limits since the migration. */
  noticeLimits(): Promise<void>;
  /** Sends nothing. @throws {DatabaseUnavailableError} if the connection is known to be closed for good. */
  checkOpen(): void;
  /** Resolves when the database is migrated and takes writes. */
  ping(): Promise<void>;
  /** What is wrong if `ping` did not resolve. Undefined if that is not known. */
  trouble(): DatabaseTrouble | undefined;
}
