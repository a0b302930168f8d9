import {
  LeaseLostError,
  type PluginTimeoutError,
  RunCancelledError,
  type RunTimeoutError,
  type UnreadableError,
} from '../../core/errors/errors.ts';

/** How the execution of a claimed run ends: its job ends, or the run is stopped before that. */
export type Ending =
  | JobEnd
  /** The run's time was up. */
  | { readonly kind: 'timed-out'; readonly end: JobEnd }
  | { readonly kind: Exclude<PlainStop, 'lease-lost' | 'waiting'> }
  /** The run was put to wait. After `dueInMs` it is due, or its time is up. Undefined if it waits for no time. */
  | { readonly kind: 'waiting'; readonly dueInMs: number | undefined }
  /** The job failed, and the run waits to be tried again. */
  | { readonly kind: 'retrying'; readonly error: string; readonly dueInMs: number }
  /** `reason` says what happened to the run. */
  | { readonly kind: 'lease-lost'; readonly reason: string };

/** What may be claimable once an end, or a wait, is stored: nothing more, a run, or one that has waited until then. */
export type LeftWork = 'nothing' | 'run' | 'waiting-run';

/** How a job ends. The run ends like this once it is stored. */
export type JobEnd =
  /** `output` is JSON text, null for undefined. */
  { readonly kind: 'completed'; readonly output: string | null } | JobFailure;

export interface JobFailure {
  readonly kind: 'failed';
  readonly error: string;
  /** JSON text. */
  readonly detail: string;
  readonly failedStepName: string;
  /** A sensitive step threw it. */
  readonly isSensitive?: boolean;
  /** Its time was up. */
  readonly isTimeOut?: boolean;
  /** What the job threw, if its own retries apply to it. */
  readonly thrown?: { readonly error: unknown } | undefined;
}

/** Why an execution ends before its job does. Nothing that the job does afterwards is stored. */
export type StopReason =
  /** A caller cancelled the run. */
  | 'cancelled'
  /**
   * The database refused a write or a renewal: the run belongs to another worker, or was ended or
   * deleted.
   */
  | 'lease-lost'
  /** The database has not confirmed the lease in time, so another worker may have taken the run over. */
  | 'lease-expired'
  /** The instance's database is closed. */
  | 'database-closed'
  /** No step's function runs, and at least one step waits. */
  | 'waiting'
  /** The run's time is up: it fails. */
  | 'timed-out'
  /** It needs a value that can't be decoded here: it fails. */
  | 'unreadable'
  | Suspension;

/** The reasons that say all. The others have an error of their own. */
export type PlainStop = Exclude<StopReason, 'timed-out' | 'unreadable'>;

/**
 * Why a run is suspended. All its notes are stored, and a later claim continues from its stored
 * steps. A step suspends its run with `StepPort.suspend`.
 */
export type Suspension =
  /** The run returns to pending by itself. */
  | 'handed-back'
  /** The worker stops all of its runs and returns them to pending in one statement. */
  | 'recalled';

/** Whether a later claim continues the stopped run. */
export function isSuspension(reason: StopReason): reason is Suspension {
  return reason === 'handed-back' || reason === 'recalled';
}

/** Why a step of a run that is over is refused. */
export type OverError =
  | RunCancelledError
  | LeaseLostError
  | RunTimeoutError
  | UnreadableError
  | PluginTimeoutError;

/** The error with which a stopped run refuses its steps. */
export function stopError(runId: string, reason: PlainStop): RunCancelledError | LeaseLostError {
  switch (reason) {
    case 'cancelled':
      return new RunCancelledError(runId);
    case 'lease-lost':
      return new LeaseLostError(
        `Run ${runId} is no longer this worker's: it was taken over, or cancelled elsewhere`,
      );
    case 'lease-expired':
      return new LeaseLostError(
        `Run ${runId} may be another worker's: the database has not confirmed its lease in time`,
      );
    case 'database-closed':
      return new LeaseLostError(`Run ${runId} cannot go on: the database connection was closed`);
    case 'waiting':
      return new LeaseLostError(`Run ${runId} waits: it goes on from its steps when its wait is over`);
    case 'handed-back':
    case 'recalled':
      return new LeaseLostError(`Run ${runId} was handed back, for a worker to go on with it`);
  }
}
