import type { DueSchedule } from '../schedules/schedule.ts';
import type { TimeLimit } from '../time/time-limit.ts';
import type { JobLimits } from '../triggers/limits.ts';
import type { KnownStep, SentSignal } from './known-step.ts';
import type { Lease, NamedRun } from './lease.ts';

/**
 * How a claim took a run: `start` opens an attempt, `resume` goes on with the
 * one that was handed back, `takeover` opens an attempt of a run whose worker
 * had vanished.
 */
export type ClaimKind = 'start' | 'resume' | 'takeover';

/** What a run keeps of its job from its first start on. */
export interface JobTerms {
  readonly jobName: string;
  readonly version: number;
  /** How long a run may take whose trigger says nothing else. */
  readonly timeout: TimeLimit | undefined;
}

export interface ClaimRequest {
  readonly jobNames: readonly string[];
  /** How many runs at most. */
  readonly limit: number;
  readonly claimToken: string;
  /** Whether a claim with this token was sent before without an answer. The runs that it took are looked for first. */
  readonly isAskedAgain: boolean;
  /** A running run whose heartbeat is older than this is taken over. */
  readonly staleThresholdMs: number;
  /** Whether waiting runs whose time has come return to pending first, and runs whose time is up fail. */
  readonly wakesDue: boolean;
  /** Looks also for schedules whose next slot comes within this time; ms. Undefined: for none. */
  readonly schedulesWithinMs?: number | undefined;
  /** Whether one run may be taken over that has lost {@link SUSPECT_AFTER_LOST_WORKERS} workers. */
  readonly takesSuspect: boolean;
  /** Of the jobs that have a version other than 1, or a timeout. */
  readonly terms?: readonly JobTerms[] | undefined;
  /** Of the jobs that have limits. */
  readonly limits?: readonly JobLimits[] | undefined;
}

/** When a run's time is up. */
export interface RunDeadline {
  /** Ms since the epoch, by the database's clock. */
  readonly atMs: number;
  /** How long it may take, as errors say it. */
  readonly text: string;
}

export interface ClaimedRun extends Lease, NamedRun {
  readonly kind: ClaimKind;
  /** JSON text. */
  readonly payload: string;
  readonly concurrencyKey: string | null;
  /** Finished steps that wait to be replayed. */
  readonly stepCount: number;
  /**
   * How far the database's clock was ahead of the process's monotonic clock when the claim was
   * answered, ms. Added to the monotonic clock it gives the database's time. That time is late by as
   * long as the answer took, and never early.
   */
  readonly databaseAheadMs: number;
  /** When it was claimed: ms since the epoch, by the database's clock. */
  readonly claimedAtMs: number;
  /** When it was stored, or its delay was over; like the other times. */
  readonly dueSinceMs: number;
  /** When it was first claimed. */
  readonly startedAtMs: number;
  /** How many retries of its job it has used. */
  readonly retryCount: number;
  /** How many workers vanished in a row without a newly stored step. */
  readonly lostCount: number;
  /** Its finished and open steps, if they came with the claim. Otherwise {@link Store.listKnownSteps} reads them. */
  readonly steps?: readonly KnownStep[] | undefined;
  /** The signals that no step has taken, if they came with the claim. Otherwise {@link Store.listSignals} reads them. */
  readonly signals?: readonly SentSignal[] | undefined;
  /** The run that started it. */
  readonly parentRunId: string | null;
  /** How many runs are above it. */
  readonly depth: number;
  /** Of the job with which the run first started. */
  readonly version: number;
  /** What plugins have stored with it, by their names: JSON text. */
  readonly pluginData?: string | null | undefined;
  /** Undefined if it may take any time. */
  readonly deadline?: RunDeadline | undefined;
}

/** False for a run's first attempt, which begins without steps. */
export function mayHaveSteps({ stepCount, attempt, kind }: ClaimedRun): boolean {
  return stepCount > 0 || attempt > 1 || kind !== 'start';
}

/** A run's finished and open steps, and the signals that no step has taken. */
export type KnownOfRun = Required<Pick<ClaimedRun, 'steps' | 'signals'>> & {
  readonly steps: readonly KnownStep[];
  readonly signals: readonly SentSignal[];
};

export interface LostRun extends NamedRun {
  readonly error: string;
  /** JSON text of the error's detail; null if its workers were lost. */
  readonly detail: string | null;
}

/** A run that was cancelled because one above it was, or had no more time. */
export type CancelledRun = Pick<NamedRun, 'runId' | 'jobName'>;

/** A portion of the runs that were cancelled because of one above them. */
export interface CancelledBelow {
  readonly cancelled: readonly CancelledRun[];
  /** Whether there may be more. */
  readonly more: boolean;
}

/** What became of the runs that were due. */
export interface Woken {
  /** How many waiting runs are pending now. */
  readonly pending: number;
  /** Runs that failed because their time was up. */
  readonly lost: readonly LostRun[];
  /** Whether there may be more. */
  readonly moreDue: boolean;
}

export interface Claim {
  readonly runs: readonly ClaimedRun[];
  /** Runs that the claim failed because their workers vanished too often, or their time was up. */
  readonly lost: readonly LostRun[];
  /** Whether it left runs of these jobs behind, because it had taken as many as it may. Another claim would take them. */
  readonly more: boolean;
  /** Whether there may be more waiting runs whose time has come, or runs whose time is up. */
  readonly moreDue: boolean;
  /** The schedules that it looked for, the earliest first. */
  readonly schedules?: readonly DueSchedule[] | undefined;
}
