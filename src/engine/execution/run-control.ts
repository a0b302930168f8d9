import { LeaseLostError, type RunCancelledError } from '../../core/errors/errors.ts';
import { callWithinRun } from '../../core/run-context.ts';
import type { Lease } from '../../core/store.ts';
import { type StopReason, stopError } from './ending.ts';
import { createGuardedController } from './guarded-signal.ts';

type OverError = RunCancelledError | LeaseLostError;

type ControlState =
  /** The job is at work. */
  | { readonly kind: 'executing' }
  /** The run is handed back at its next step: the steps that run now may finish, and no other begins. */
  | { readonly kind: 'draining' }
  /** The run was stopped before its job came to its end. */
  | { readonly kind: 'stopped'; readonly error: OverError }
  /** The job came to its end by itself. Its error is made when somebody asks for it. */
  | { readonly kind: 'ended'; error: OverError | undefined };

const EXECUTING: ControlState = { kind: 'executing' };
const DRAINING: ControlState = { kind: 'draining' };

/** The reins of one execution: stops it once, for one reason, and aborts its steps' signal. */
export class RunControl {
  readonly lease: Lease;
  readonly stopped: Promise<StopReason>;
  readonly #onListenerError: (error: unknown) => void;
  readonly #onOver = new Set<() => void>();
  #state = EXECUTING;
  #abort: AbortController | undefined;
  /** Why the signal is aborted; undefined while it is not. */
  #abortedWith: OverError | undefined;
  #settle: (reason: StopReason) => void = () => undefined;

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
      this.#abort = this.createController();
      if (this.#abortedWith !== undefined) this.#abort.abort(this.#abortedWith);
    }
    return this.#abort.signal;
  }

  /** For a signal of a step's own. What the job's listeners on it throw is told like what those on the run's signal throw. */
  createController(): AbortController {
    return createGuardedController(this.#onListenerError);
  }

  /** Ends the execution at once. False if it is over already, which changes nothing. */
  stop(reason: StopReason): boolean {
    if (this.isOver) return false;
    const error = stopError(this.lease.runId, reason);
    this.#state = { kind: 'stopped', error };
    this.#settle(reason);
    this.#tellOver();
    this.#abortWith(error);
    return true;
  }

  /** Resolves once the run is stopped or has ended. */
  async whenOver(): Promise<void> {
    if (this.isOver) return;
    await new Promise<void>((resolve) => this.#onOver.add(resolve));
  }

  /** Has the run handed back at its next step. */
  drain(): void {
    if (!this.isOver) this.#state = DRAINING;
  }

  get isDraining(): boolean {
    return this.#state.kind === 'draining';
  }

  /** The job is over: what its steps still do comes too late. */
  end(options: { stepsRunning: boolean }): void {
    if (this.isOver) return;
    this.#state = { kind: 'ended', error: undefined };
    this.#tellOver();
    if (options.stepsRunning) this.#abortWith(this.error);
  }

  /** Its job came to its end, and nothing stopped it. */
  get hasEndedByItself(): boolean {
    return this.#state.kind === 'ended';
  }

  /** @throws {RunCancelledError | LeaseLostError} once stopped or ended. */
  throwIfOver(): void {
    const { error } = this;
    if (error) throw error;
  }

  /** What its steps are refused with; undefined while it goes on. An error's stack costs more than all else here. */
  get error(): OverError | undefined {
    const state = this.#state;
    if (state.kind === 'stopped') return state.error;
    if (state.kind !== 'ended') return undefined;
    state.error ??= new LeaseLostError(`Run ${this.lease.runId} has ended`);
    return state.error;
  }

  get isOver(): boolean {
    const { kind } = this.#state;
    return kind === 'stopped' || kind === 'ended';
  }

  #tellOver(): void {
    for (const resolve of this.#onOver) resolve();
    this.#onOver.clear();
  }

  /** The job's listeners are its code, whoever cancelled it. */
  #abortWith(error: OverError | undefined): void {
    this.#abortedWith = error;
    callWithinRun(this.lease, () => this.#abort?.abort(error));
  }
}
