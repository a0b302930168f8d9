import type { KnownStep, SentSignal } from './known-step.ts';
import type { Lease, NamedRun } from './lease.ts';

/**
 * How a claim took a run: `start` opens an attempt, `resume` goes on with the
 * one that was handed back, `takeover` opens an attempt of a run whose worker
 * had vanished.
 */
export type ClaimKind = 'start' | 'resume' | 'takeover';

export interface ClaimRequest {
  readonly jobNames: readonly string[];
  /** How many runs at most. */
  readonly limit: number;
  readonly claimToken: string;
  /** A claim with this token was sent before and not answered: the runs that it took are looked for first. */
  readonly isAskedAgain: boolean;
  /** A running run whose heartbeat is older than this is taken over. */
  readonly staleThresholdMs: number;
  /** Whether waiting runs whose time has come return to pending first. */
  readonly wakesDue: boolean;
  /** Whether one run may be taken over that has lost {@link SUSPECT_AFTER_LOST_WORKERS} workers. */
  readonly takesSuspect: boolean;
}

export interface ClaimedRun extends Lease, NamedRun {
  readonly kind: ClaimKind;
  /** JSON text. */
  readonly payload: string;
  readonly concurrencyKey: string | null;
  /** Finished steps that wait to be replayed. */
  readonly stepCount: number;
  /**
   * How far the database's clock was ahead of the process's monotonic clock when the claim was answered, ms. Their sum is
   * the database's time, late by the way of one answer and never early.
   */
  readonly databaseAheadMs: number;
  /** When it was claimed: ms since the epoch, by the database's clock. */
  readonly claimedAtMs: number;
  /** Tries of its job that failed and were followed by a retry of its own. */
  readonly retryCount: number;
  /** How many workers vanished in a row without a newly stored step. */
  readonly lostCount: number;
  /** The steps that are finished or open, if they came with the claim; else {@link Store.listKnownSteps} has them. */
  readonly steps?: readonly KnownStep[] | undefined;
  /** The signals that no step has taken, if they came with the claim; else {@link Store.listSignals} has them. */
  readonly signals?: readonly SentSignal[] | undefined;
  /** The run that started it. */
  readonly parentRunId: string | null;
  /** How many runs are above it. */
  readonly depth: number;
}

export interface LostRun extends NamedRun {
  readonly error: string;
}

export interface Claim {
  readonly runs: readonly ClaimedRun[];
  /** Runs that the claim failed because their workers vanished too often. */
  readonly lost: readonly LostRun[];
  /** Whether it left runs of these jobs behind, because it had taken as many as it may: another claim would take more. */
  readonly more: boolean;
  /** Whether there may be more waiting runs whose time has come. */
  readonly moreDue: boolean;
}
