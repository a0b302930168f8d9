import type { RunFilter } from '../lists/run-query.ts';
import type { Run, RunCommand, RunStatus } from '../run.ts';

/** The most runs that one call changes. */
export const MAX_BULK = 1_000;

/** Which runs a command is for. At least one member besides `limit` must be given, or `all`. */
export interface BulkFilter extends Omit<RunFilter, 'limit' | 'offset' | 'cursor'> {
  /** How many runs to change at most, the newest first: 1 to 1,000. Default: 1,000. */
  readonly limit?: number | undefined;
  /** True to mean all runs when nothing else is given. */
  readonly all?: boolean | undefined;
}

/** Who decides on the runs of a command. */
export interface BulkOptions {
  /** Asked about each run before any is changed. If it rejects, none is. */
  readonly allow?: ((run: Run) => void | Promise<void>) | undefined;
}

/** What a command did to many runs. */
export interface BulkResult {
  /** How many runs were changed. */
  readonly count: number;
  /** Whether more runs matched, for another call. So do runs that wait until the runs below them are cancelled. */
  readonly more: boolean;
}

/** A command for runs that were listed before. Those whose status has become another one are left alone. */
export interface BulkCommand {
  readonly name: RunCommand;
  readonly runs: readonly BulkRun[];
  /** A run must be in one of these. */
  readonly statuses: readonly RunStatus[];
}

export interface BulkRun {
  readonly runId: string;
  readonly jobName: string;
}

export interface BulkChanges {
  readonly changed: readonly BulkRun[];
  /**
   * Whether there may be active runs which `Store.cancelBelow` cancels: below the cancelled ones, or below runs that are not
   * retried or deleted before that.
   */
  readonly leavesBelow: boolean;
}
