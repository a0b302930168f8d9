import { LeaseLostError, RunCancelledError } from '../../core/errors/errors.ts';
import { callWithinRun } from '../../core/run-context.ts';
import type { Lease } from '../../core/store.ts';
import { createGuardedController } from './guarded-signal.ts';

/** Why a run's execution ends before its job does. */
export type StopReason = 'cancelled' | 'lease-lost' | 'lease-expired' | 'handed-back' | 'database-closed';

/** The reins of one execution: stops it once, for one reason, and aborts its steps' signal. */
export class RunControl {
  readonly lease: Lease;
  readonly stopped: Promise<StopReason>;
  readonly #onListenerError: (error: unknown) => void;
  readonly #onOver = new Set<() => void>();
  #abort: AbortController | undefined;
  #settle: (reason: StopReason) => void = () => undefined;
  #error: RunCancelledError | LeaseLostError | undefined;
  #hasEnded = false;
  #isAborted = false;
  #isDraining = false;
  #isStopped = false;

  /** @param onListenerError hears what listeners of the job's on its signal throw. */
  constructor(lease: Lease, onListenerError: (error: unknown) => void = () => undefined) {
    this.lease = lease;
    this.#onListenerError = onListenerError;
    this.stopped = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Made when it is asked for: a job without steps may never look at it. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = createGuardedController(this.#onListenerError);
      if (this.#isAborted) this.#abort.abort(this.#error);
    }
    return this.#abort.signal;
  }

  stop(reason: StopReason): void {
    if (this.isOver) return;
    this.#isStopped = true;
    this.#error = stopError(this.lease.runId, reason);
    this.#settle(reason);
    this.#tellOver();
    this.#abortWith(this.#error);
  }

  /** Resolves once the run is stopped or has ended. */
  async whenOver(): Promise<void> {
    if (this.isOver) return;
    await new Promise<void>((resolve) => this.#onOver.add(resolve));
  }

  /** Has the run handed back at its next step: those that run now may finish, and no other begins. */
  drain(): void {
    this.#isDraining = true;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** The job is over: what its steps still do comes too late. */
  end(options: { stepsRunning: boolean }): void {
    this.#hasEnded = true;
    this.#tellOver();
    if (options.stepsRunning) this.#abortWith(this.#whyOver());
  }

  /** Its job came to its end, and nothing stopped it. */
  get hasEndedByItself(): boolean {
    return this.#hasEnded && !this.#isStopped;
  }

  /** @throws {RunCancelledError | LeaseLostError} once stopped or ended. */
  throwIfOver(): void {
    const { error } = this;
    if (error) throw error;
  }

  /** What its steps are refused with; undefined while it goes on. */
  get error(): RunCancelledError | LeaseLostError | undefined {
    return this.isOver ? this.#whyOver() : undefined;
  }

  get isOver(): boolean {
    return this.#hasEnded || this.#error !== undefined;
  }

  #tellOver(): void {
    for (const resolve of this.#onOver) resolve();
    this.#onOver.clear();
  }

  /** The job's listeners are its code, whoever cancelled it. */
  #abortWith(error: RunCancelledError | LeaseLostError): void {
    this.#isAborted = true;
    callWithinRun(this.lease, () => this.#abort?.abort(error));
  }

  /** Made when it is asked for: an error's stack costs more than all else here, and few runs need one. */
  #whyOver(): RunCancelledError | LeaseLostError {
    this.#error ??= new LeaseLostError(`Run ${this.lease.runId} has ended`);
    return this.#error;
  }
}

function stopError(runId: string, reason: StopReason): RunCancelledError | LeaseLostError {
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
    case 'handed-back':
      return new LeaseLostError(`Run ${runId} was handed back, for a worker to go on with it`);
  }
}
