import type { Call } from '../call.ts';
import type { RunQuery } from '../lists/run-query.ts';
import type { RunStatus } from '../run.ts';
import type { Due } from '../triggers/new-run.ts';
import type { WebhookSubscriptions } from '../webhooks/webhooks.ts';
import type { OldAge } from './retention.ts';
import type { BulkChanges, BulkCommand, BulkRun } from './run-bulk.ts';

/** A portion of old runs that were deleted. */
export interface Purged {
  readonly runs: readonly BulkRun[];
  /** Whether they may have left rows over for `Store.deletePortion`. */
  readonly leavesMore: boolean;
}

/** What became of giving a run another time. */
export type Rescheduled =
  | {
      readonly kind: 'done';
      readonly jobName: string;
      /** When it is due, ms since the epoch. */
      readonly runAtMs: number;
      /** False if it is due already. */
      readonly waits: boolean;
    }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'wrong-state'; readonly status: RunStatus; readonly hasStarted: boolean };

/** How many runs of a job are in each status. */
export type JobCounts = { readonly [S in RunStatus]: number } & { readonly jobName: string };

/** The part of the {@link Store} by which many runs are managed. */
export interface ManagingStore {
  /** The runs that match, newest first, as they are now. */
  findRuns(query: RunQuery, call?: Call): Promise<BulkRun[]>;
  /** Executes a command for many runs in one statement. A deletion leaves rows over for `Store.deletePortion`. */
  commandAll(command: BulkCommand, call?: Call): Promise<BulkChanges>;
  /** Deletes a portion of the runs that are old enough, none if there are none. Those with an active child are kept. */
  purgeRuns(
    which: { readonly ages: readonly OldAge[]; readonly limit: number },
    call?: Call,
  ): Promise<Purged>;
  /** Gives a run that has not started another time. */
  reschedule(which: { readonly runId: string; readonly due: Due }): Promise<Rescheduled>;
  /** How many runs each job has in each status. Jobs without runs may be missing. */
  countRuns(call?: Call): Promise<JobCounts[]>;
  /** Who hears of the ends of runs from now on. */
  subscribe(webhooks: WebhookSubscriptions): Promise<void>;
  /** Deletes a portion of the deliveries of webhooks that ended long ago. It leaves rows over for `Store.deletePortion`. */
  purgeDeliveries(): Promise<readonly BulkRun[]>;
  /** Whether any run is old enough. */
  hasOldRuns(ages: readonly OldAge[], call?: Call): Promise<boolean>;
}
