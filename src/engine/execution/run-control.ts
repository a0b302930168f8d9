import {
  LeaseLostError,
  type PluginTimeoutError,
  type RunTimeoutError,
  type UnreadableError,
} from '../../core/errors/errors.ts';
import type { Lease } from '../../core/ownership/lease.ts';
import { callWithinRun } from '../../core/run-context.ts';
import { type OverError, type PlainStop, type StopReason, stopError } from './ending.ts';
import { createGuardedController } from './guarded-signal.ts';

type ControlState =
  /** The job is running. */
  | { readonly kind: 'executing' }
  /** The run is handed back at its next step. Steps that are running may finish, and no other starts. */
  | { readonly kind: 'draining' }
  /** The run was stopped before its job ended. */
  | { readonly kind: 'stopped'; readonly reason: StopReason; readonly error: OverError }
  /** The job ended by itself. The error for later steps is made when it is needed. */
  | { readonly kind: 'ended'; error: OverError | undefined };

const EXECUTING: ControlState = { kind: 'executing' };
const DRAINING: ControlState = { kind: 'draining' };

/** Controls one execution: stops it once, for one reason, and aborts its steps' signal. */
export class RunControl {
  readonly lease: Lease;
  readonly stopped: Promise<StopReason>;
  readonly #onListenerError: (error: unknown) => void;
  readonly #onOver = new Set<() => void>();
  #state = EXECUTING;
  #abort: AbortController | undefined;
  /** The error that aborted the signal. Undefined while it is not aborted. */
  #abortedWith: OverError | undefined;
  #settle: (reason: StopReason) => void = () => undefined;

  /** @param onListenerError receives errors that the job's listeners on its signal throw. */
  constructor(lease: Lease, onListenerError: (error: unknown) => void = () => undefined) {
    this.lease = lease;
    this.#onListenerError = onListenerError;
    this.stopped = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Created when it is first used, because a job without steps may never use it. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = this.createController();
      if (this.#abortedWith !== undefined) this.#abort.abort(this.#abortedWith);
    }
    return this.#abort.signal;
  }

  /** For a signal of a step's own. What the job's listeners on it throw is reported like those on the run's signal. */
  createController(): AbortController {
    return createGuardedController(this.#onListenerError);
  }

  /** Ends the execution at once. Returns false, and changes nothing, if it is already over. */
  stop(reason: PlainStop): boolean {
    return !this.isOver && this.#stop(reason, stopError(this.lease.runId, reason));
  }

  /** Ends the execution of a run whose time is up. Returns false, and changes nothing, if it is already over. */
  timeOut(error: RunTimeoutError): boolean {
    return !this.isOver && this.#stop('timed-out', error);
  }

  /** Ends the execution of a run that needs a value which can't be decoded here, or not in time. */
  failUnreadable(error: UnreadableError | PluginTimeoutError): boolean {
    return !this.isOver && this.#stop('unreadable', error);
  }

  #stop(reason: StopReason, error: OverError): boolean {
    this.#state = { kind: 'stopped', reason, error };
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

  /** Makes the run be handed back at its next step. */
  drain(): void {
    if (!this.isOver) this.#state = DRAINING;
  }

  get isDraining(): boolean {
    return this.#state.kind === 'draining';
  }

  /** Marks the job as over. Its steps can store nothing any more. */
  end(options: { stepsRunning: boolean }): void {
    if (this.isOver) return;
    this.#state = { kind: 'ended', error: undefined };
    this.#tellOver();
    if (options.stepsRunning) this.#abortWith(this.error);
  }

  /** Why it was stopped. Undefined if it was not. */
  get stopReason(): StopReason | undefined {
    return this.#state.kind === 'stopped' ? this.#state.reason : undefined;
  }

  /** Whether its job ended, and nothing stopped it before. */
  get hasEndedByItself(): boolean {
    return this.#state.kind === 'ended';
  }

  /** @throws {RunCancelledError | LeaseLostError | RunTimeoutError} once the run is stopped or has ended. */
  throwIfOver(): void {
    const { error } = this;
    if (error) throw error;
  }

  /**
   * The error with which steps are refused. Undefined while the run is not over. It is made when it
   * is needed, because the stack of an error costs more than all else here.
   */
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

  /** The job's listeners are job code, whoever cancelled the run. */
  #abortWith(error: OverError | undefined): void {
    this.#abortedWith = error;
    callWithinRun(this.lease, () => this.#abort?.abort(error));
  }
}
