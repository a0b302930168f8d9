import type { ErrorDetailMode } from '../../../core/errors/error-detail.ts';
import type { OpenStep } from '../../../core/ownership/known-step.ts';
import { callOutsideRuns, currentStep, type StepScope } from '../../../core/run-context.ts';
import type { StepKind } from '../../../core/step.ts';
import { type Clock, defer } from '../../../core/time/clock.ts';
import type { ChildStart } from '../../../core/triggers/new-run.ts';
import type { PluginCalls } from '../../plugins/plugin-calls.ts';
import type { Suspension } from '../ending.ts';
import type { OwnerJournal } from '../journal/owner-journal.ts';
import type { RunControl } from '../run-control.ts';
import type { StepResults } from '../step-results.ts';
import { type CodeCall, callCode } from './call-code.ts';
import type { RefusedCall, StepCall, StepCalls } from './step-calls.ts';
import { encodeResult, type OutcomeOf, StepOutcomes } from './step-outcomes.ts';
import type { StepWaits, WaitOf } from './step-waits.ts';

interface StepPortDeps {
  readonly control: RunControl;
  readonly journal: OwnerJournal;
  readonly clock: Clock;
  readonly calls: StepCalls;
  readonly results: StepResults;
  readonly waits: StepWaits;
  /** The database's clock, ms since the epoch. */
  readonly databaseNowMs: () => number;
  readonly maxResultBytes: number;
  readonly errorDetail: ErrorDetailMode;
  /** Undefined if no plugin is called around steps. */
  readonly pluginCalls?: PluginCalls | undefined;
}

/**
 * What a kind of step may use of the execution that it belongs to, and all of it.
 *
 * A kind is a function of its arguments, called within {@link begin}. It calls {@link enter}, fails a refused call
 * with {@link refuse}, and answers with {@link replay} if there is a stored result. While the run {@link isDraining} it
 * begins nothing, and calls {@link suspend}. Otherwise it calls {@link start}, and then {@link complete} or {@link fail}. A kind
 * that waits calls {@link startWaiting} and {@link untilDue}.
 */
export class StepPort {
  readonly #deps: StepPortDeps;
  readonly #outcomes: StepOutcomes;
  /** The step whose function made the call that is being entered. */
  #outer: StepScope | undefined;

  constructor(deps: StepPortDeps) {
    this.#deps = deps;
    this.#outcomes = new StepOutcomes(deps);
  }

  /** Aborted once the run is no longer this worker's. */
  get signal(): AbortSignal {
    return this.#deps.control.signal;
  }

  /** The database's clock, ms since the epoch. */
  get nowMs(): number {
    return this.#deps.databaseNowMs();
  }

  /** Whether no step may begin, because the run is to be handed back. */
  get isDraining(): boolean {
    return this.#deps.control.isDraining;
  }

  /**
   * Calls the code of a kind outside of the job's async context. Once the run was put to wait, a call never settles: the job is
   * abandoned and runs again, and must not take a failure for the step's.
   */
  begin<T>(step: () => Promise<T>): Promise<T> {
    if (this.#deps.control.stopReason === 'waiting') return new Promise<never>(() => undefined);
    this.#outer = currentStep();
    const result = callOutsideRuns(step);
    // If the job does not await the step, its failure must not end the process.
    result.catch(() => undefined);
    return result;
  }

  /**
   * The step of that name, or why it can't be called now.
   *
   * @param fault why its other arguments can't be taken, as the end of a sentence about the step.
   * @param about.putsToWait it ends only after its run was put to wait.
   */
  enter(
    name: unknown,
    fault: string | undefined,
    { putsToWait = false }: { readonly putsToWait?: boolean } = {},
  ): StepCall | RefusedCall {
    const { error } = this.#deps.control;
    if (error !== undefined) return { state: 'refused', error };
    const scope = this.#outer?.owner === this ? this.#outer : undefined;
    const isWithin = scope?.transaction !== undefined;
    const told = isWithin ? `can't be called inside of the transaction of step "${scope.name}"` : fault;
    return this.#deps.calls.enter(name, told, { outer: scope?.name, putsToWait });
  }

  /** Fails a refused call, after a turn: a job that retries in a loop must not hold the event loop. */
  async refuse({ error }: RefusedCall): Promise<never> {
    await new Promise<void>((resolve) => defer(resolve));
    throw error;
  }

  /** JSON text of the step's stored result, null for undefined. Undefined if there is none: it has yet to run. */
  replay(call: StepCall): Promise<string | null> | undefined {
    const { calls, results } = this.#deps;
    return results.has(call.name) ? calls.replay(call, results) : undefined;
  }

  /** What an earlier execution stored of a step that waits, or is to be tried again. */
  openStep({ name }: StepCall, kind: StepKind): OpenStep | undefined {
    const open = this.#deps.results.openStep(name);
    // The job's code may have changed: a step of another kind begins anew.
    return open?.kind === kind ? open : undefined;
  }

  /** Whether an earlier execution has stored something of the step of that kind. */
  isStored(name: unknown, kind: StepKind): boolean {
    if (typeof name !== 'string') return false;
    return this.#deps.results.has(name) || this.#deps.results.openStep(name)?.kind === kind;
  }

  /** The step begins. */
  start(call: StepCall): void {
    this.#deps.calls.start(call, this.#deps.clock.monotonicMs());
    this.#deps.journal.note({ type: 'step:start', stepName: call.name, stepIndex: call.index });
  }

  /** The step begins to wait. If an earlier execution has stored that, nothing is stored again. */
  startWaiting(
    call: StepCall,
    { kind, dueAtMs }: { readonly kind: StepKind; readonly dueAtMs: number },
  ): void {
    this.#deps.calls.wait(call);
    if (this.openStep(call, kind) !== undefined) return;
    call.startMs = this.#deps.clock.monotonicMs();
    const data = JSON.stringify({ kind, dueAt: Number.isFinite(dueAtMs) ? dueAtMs : null });
    this.#deps.journal.note({ type: 'step:start', stepName: call.name, stepIndex: call.index, data });
  }

  /** Resolves when the wait is over; never if the run is put to wait before that. */
  async untilDue(call: StepCall, wait: WaitOf): Promise<void> {
    this.#deps.calls.wait(call);
    await this.caughtUp();
    await this.#deps.waits.untilDue({ ...wait, stepName: call.name });
  }

  /** Resolves when the job has what was stored: that came before what is over only now. */
  caughtUp = (): Promise<void> => this.#deps.results.caughtUp();

  /** The step begins with a run that it starts: both are stored by one statement. `payload` is JSON text. */
  startChild(
    call: StepCall,
    { child, payload }: { readonly child: ChildStart; readonly payload: string },
  ): void {
    call.startMs = this.#deps.clock.monotonicMs();
    const { name: stepName, index: stepIndex } = call;
    this.#deps.journal.note({ type: 'step:start', stepName, stepIndex, child, data: payload });
  }

  /** Keeps the run from being put to wait while the engine does something for the step. */
  keepBusy(call: StepCall): void {
    this.#deps.calls.start(call, call.startMs || this.#deps.clock.monotonicMs());
  }

  /** How long a step has taken. An earlier execution may have begun it. */
  #durationMs(call: StepCall, kind: StepKind): number {
    const open = this.openStep(call, kind);
    const ms = open === undefined ? this.#deps.clock.monotonicMs() - call.startMs : this.nowMs - open.sinceMs;
    return Math.max(0, ms);
  }

  /**
   * The step's wait is over. This is stored with the next outcome. If it is lost, a later execution finds the wait over,
   * too, and the same signal.
   */
  completeWaiting(call: StepCall, stepKind: StepKind, given?: Pick<OutcomeOf, 'data' | 'signalSeq'>): void {
    this.#outcomes.noteCompleted(call, { stepKind, durationMs: this.#durationMs(call, stepKind), ...given });
    this.#deps.results.closeStep(call.name);
  }

  /**
   * {@link callCode}
   *
   * @throws {StepTimeoutError} once the time is up; what the function does from then on is not stored.
   */
  call<T>(
    call: StepCall,
    about: Omit<CodeCall, 'call'>,
    code: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return callCode({ call, ...about }, { ...this.#deps, owner: this }, code);
  }

  /** {@link encodeResult} */
  encode({ name }: StepCall, result: unknown): string | null {
    return encodeResult(name, result, this.#deps.maxResultBytes);
  }

  /** {@link StepOutcomes.complete} */
  async complete(call: StepCall, output: string | null, of?: OutcomeOf): Promise<void> {
    await this.#outcomes.complete(call, output, this.#lasted(call, of));
    this.#deps.results.closeStep(call.name);
  }

  /** The step's result is stored. */
  noteStored(call: StepCall): void {
    this.#deps.calls.complete(call);
    this.#deps.results.closeStep(call.name);
  }

  /** {@link StepOutcomes.fail} */
  async fail(call: StepCall, error: unknown, of?: OutcomeOf): Promise<never> {
    const outcome = this.#lasted(call, of);
    // If the job calls the step again, it begins anew.
    this.#deps.results.closeStep(call.name);
    return await this.#outcomes.fail(call, error, outcome);
  }

  /** Adds the duration for a kind that calls no function, because an earlier execution may have begun the step. */
  #lasted(call: StepCall, of: OutcomeOf | undefined): OutcomeOf | undefined {
    if (of?.stepKind === undefined || of.stepKind === 'transaction') return of;
    return { ...of, durationMs: this.#durationMs(call, of.stepKind) };
  }

  /**
   * Stores that a try of the step failed, and waits until the next one is due.
   *
   * @throws {RunCancelledError | LeaseLostError} if the run is no longer this worker's.
   */
  async retryLater(
    call: StepCall,
    { attempt, error, inMs }: { readonly attempt: number; readonly error: unknown; readonly inMs: number },
  ): Promise<void> {
    const dueAtMs = Math.ceil(this.nowMs + inMs);
    await this.#outcomes.retry(call, { attempt, error, dueAtMs });
    await this.untilDue(call, { kind: 'retry', dueAtMs });
  }

  /**
   * Ends this execution in place of going on with a step, once the steps that run beside it are stored; one whose function
   * has called it does not count. If their outcome ends the job, the run ends instead. This is the only way in which a step
   * puts its run aside.
   *
   * @throws {RunCancelledError | LeaseLostError} always, when the execution is over.
   */
  async suspend(reason: Suspension, call: StepCall): Promise<never> {
    while (this.#deps.calls.areRunningBeside(call) && !this.#deps.control.isOver) {
      await Promise.race([this.#deps.calls.oneEnded(), this.#deps.control.whenOver()]);
    }
    // The outcomes of those steps may end the job.
    await new Promise<void>((resolve) => defer(resolve));
    this.#deps.control.stop(reason);
    throw this.#deps.control.error;
  }
}
