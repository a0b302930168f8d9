import { LeaseLostError, RunCancelledError } from '../core/errors.ts';
import type { Lease } from '../core/store.ts';

/** Why a run's execution ends before its job does. */
export type StopReason = 'cancelled' | 'lease-lost' | 'lease-expired' | 'handed-back';

/** The reins of one execution: stops it once, for one reason, and aborts its steps' signal. */
export class RunControl {
  readonly lease: Lease;
  readonly stopped: Promise<StopReason>;
  #abort: AbortController | undefined;
  #settle: (reason: StopReason) => void = () => undefined;
  #error: RunCancelledError | LeaseLostError | undefined;
  #hasEnded = false;
  #isAborted = false;
  #isLeaving = false;

  constructor(lease: Lease) {
    this.lease = lease;
    this.stopped = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Made when it is asked for: a job without steps may never look at it. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#isAborted) this.#abort.abort(this.#error);
    return this.#abort.signal;
  }

  stop(reason: StopReason): void {
    if (this.isOver) return;
    this.#error = stopError(this.lease.runId, reason);
    this.#settle(reason);
    this.#abortWith(this.#error);
  }

  /** Has the run handed back at its next step: those that run now may finish, and no other begins. */
  leave(): void {
    this.#isLeaving = true;
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** The job is over: what its steps still do comes too late. */
  end(options: { stepsRunning: boolean }): void {
    this.#hasEnded = true;
    if (options.stepsRunning) this.#abortWith(this.#whyOver());
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

  #abortWith(error: RunCancelledError | LeaseLostError): void {
    this.#isAborted = true;
    this.#abort?.abort(error);
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
    case 'handed-back':
      return new LeaseLostError(`Run ${runId} was handed back, for a worker to go on with it`);
  }
}
