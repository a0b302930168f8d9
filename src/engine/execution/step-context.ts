import { type Clock, defer } from '../../core/clock.ts';
import { type ErrorDetailMode, encodeErrorDetail } from '../../core/errors/error-detail.ts';
import { errorMessage } from '../../core/errors/error-text.ts';
import { DurablyError, StepError } from '../../core/errors/errors.ts';
import { decodeJson, encodeJson, type Jsonified } from '../../core/json/json.ts';
import { callOutsideRuns, callWithinStep, currentStep } from '../../core/run-context.ts';
import type { LogLevel, StepContext } from '../../core/step.ts';
import { storableText } from '../../core/text.ts';
import { logNote, messageText } from './log-note.ts';
import type { OwnerJournal } from './owner-journal.ts';
import type { RunControl } from './run-control.ts';
import { stepNameFault } from './step-name.ts';
import type { StoredResults } from './stored-results.ts';

/** How many causes of an error are searched for a step's error: a chain may be endless. */
const MAX_CAUSES = 20;

interface StepCall {
  readonly name: string;
  readonly index: number;
  readonly startMs: number;
}

/** The steps of one execution of a run: replays those that are stored, runs and records the others. */
export class Steps {
  readonly #control: RunControl;
  readonly #journal: OwnerJournal;
  readonly #clock: Clock;
  readonly #stored: StoredResults;
  readonly #maxResultBytes: number;
  readonly #errorDetail: ErrorDetailMode;
  readonly #indexes = new Map<string, number>();
  readonly #states = new Map<string, 'running' | 'completed'>();
  /** What steps threw, with the name of the last step that threw it. */
  readonly #failures = new Map<unknown, string>();
  readonly #onStepEnd = new Set<() => void>();
  readonly log: StepContext['log'];

  readonly #attempt: number;

  constructor(deps: {
    attempt: number;
    control: RunControl;
    journal: OwnerJournal;
    clock: Clock;
    stored: StoredResults;
    maxResultBytes: number;
    errorDetail: ErrorDetailMode;
  }) {
    this.#maxResultBytes = deps.maxResultBytes;
    this.#attempt = deps.attempt;
    this.#control = deps.control;
    this.#journal = deps.journal;
    this.#clock = deps.clock;
    this.#stored = deps.stored;
    this.#errorDetail = deps.errorDetail;
    const writer = (level: LogLevel) => (message: string, data?: unknown) =>
      this.#writeLog(level, message, data);
    this.log = { info: writer('info'), warn: writer('warn'), error: writer('error') };
  }

  /** The job's `step`. Its methods work without `this`. */
  toContext(): StepContext {
    const control = this.#control;
    return {
      runId: control.lease.runId,
      attempt: this.#attempt,
      get signal() {
        return control.signal;
      },
      run: (name, fn) => callOutsideRuns(() => this.run(name, fn)),
      progress: (current, total, message) => this.progress(current, total, message),
      log: this.log,
    };
  }

  get areRunning(): boolean {
    return [...this.#states.values()].includes('running');
  }

  run<T>(name: string, fn: (signal: AbortSignal) => T | Promise<T>): Promise<Jsonified<T>> {
    const result = this.#run(name, fn);
    // If the job does not await the step, its failure must not end the process.
    result.catch(() => undefined);
    return result;
  }

  async #run<T>(givenName: string, fn: (signal: AbortSignal) => T | Promise<T>): Promise<Jsonified<T>> {
    const refusal = this.#refusalOf(givenName, fn);
    if (refusal) {
      // A job that retries in a loop must not hold the event loop.
      await new Promise<void>((resolve) => defer(resolve));
      throw refusal.error;
    }
    const name = storableText(givenName);
    const index = this.#indexOf(name);
    if (this.#stored.has(name)) {
      this.#states.set(name, 'completed');
      return decodeJson(await this.#stored.take(name)) as Jsonified<T>;
    }
    if (this.#control.isDraining) {
      await this.#handBack();
      this.#control.throwIfOver();
    }
    this.#states.set(name, 'running');
    const call = { name, index, startMs: this.#clock.monotonicMs() };
    this.#journal.note({ type: 'step:start', stepName: name, stepIndex: index });
    let text: string | null;
    try {
      const result = await this.#call(name, fn);
      text = this.#encodeResult(name, result);
    } catch (error) {
      return await this.#fail(call, error);
    }
    try {
      await this.#record('step:complete', call, { data: text });
    } catch (error) {
      if (error instanceof DurablyError) throw error;
      // It is too large, for example.
      return await this.#fail(
        call,
        new StepError(`Step "${name}": the database refused its result`, { cause: error }),
      );
    }
    this.#states.set(name, 'completed');
    this.#noteStepEnd();
    return decodeJson(text) as Jsonified<T>;
  }

  /** Calls a step's function in the context of its run. */
  #call<T>(name: string, fn: (signal: AbortSignal) => T | Promise<T>): Promise<T> {
    const { lease, signal } = this.#control;
    const callStep = async () => await fn(signal);
    return callWithinStep(lease, { owner: this, name }, callStep);
  }

  progress(current: number, total?: number | null, message?: string | null): void {
    if (![current, total ?? 0].every(Number.isFinite)) {
      this.#writeLog('warn', 'progress left out: current and total must be finite numbers');
      return;
    }
    const progress = {
      current,
      total: total ?? undefined,
      message: message == null ? undefined : messageText(message),
    };
    callOutsideRuns(() => this.#journal.note({ type: 'run:progress', data: JSON.stringify(progress) }));
  }

  /** The step that threw the job's error, or one of its causes. */
  failedStepOf(error: unknown): string | undefined {
    let cause = error;
    for (let depth = 0; depth < MAX_CAUSES; depth++) {
      const stepName = this.#failures.get(cause);
      if (stepName !== undefined) return stepName;
      cause = causeOf(cause);
    }
    return undefined;
  }

  /**
   * Hands the run back in place of starting a step, once the steps that run beside it
   * are stored. If their outcome ends the job, the run ends instead.
   */
  async #handBack(): Promise<void> {
    while (this.areRunning && !this.#control.isOver) {
      const stepEnd = new Promise<void>((resolve) => this.#onStepEnd.add(resolve));
      await Promise.race([stepEnd, this.#control.whenOver()]);
    }
    await new Promise<void>((resolve) => defer(resolve));
    this.#control.stop('handed-back');
  }

  #noteStepEnd(): void {
    for (const resolve of this.#onStepEnd) resolve();
    this.#onStepEnd.clear();
  }

  /** Why a step can't be run now; undefined if it can. */
  #refusalOf(givenName: string, fn: unknown): { readonly error: Error } | undefined {
    const refuse = (message: string) => ({ error: new StepError(message) });
    if (this.#control.error) return { error: this.#control.error };
    const fault = stepNameFault(givenName);
    if (fault !== undefined) return refuse(fault);
    const name = storableText(givenName);
    if (typeof fn !== 'function') return refuse(`Step "${name}" needs a function`);
    const state = this.#states.get(name);
    if (state === 'running') return refuse(`Step "${name}" is still running`);
    if (state === 'completed') return refuse(`Step "${name}" already ran in this attempt`);
    return undefined;
  }

  #indexOf(name: string): number {
    const index = this.#indexes.get(name) ?? this.#indexes.size;
    this.#indexes.set(name, index);
    return index;
  }

  async #fail(call: StepCall, error: unknown): Promise<never> {
    try {
      await this.#record('step:fail', call, {
        message: errorMessage(error),
        data: encodeErrorDetail(error, { mode: this.#errorDetail, stepName: call.name }),
      });
    } catch (failure) {
      if (failure instanceof DurablyError) throw failure;
      await this.#record('step:fail', call, { message: 'The database refused the text of its error' });
    }
    this.#states.delete(call.name);
    this.#failures.set(error, call.name);
    this.#noteStepEnd();
    throw error;
  }

  /** @throws {RunCancelledError | LeaseLostError} if the run is no longer this worker's. */
  async #record(
    type: 'step:complete' | 'step:fail',
    { name, index, startMs }: StepCall,
    outcome: { data?: string | null; message?: string },
  ): Promise<void> {
    this.#control.throwIfOver();
    const durationMs = this.#clock.monotonicMs() - startMs;
    const result = await this.#journal.record({
      type,
      stepName: name,
      stepIndex: index,
      durationMs,
      ...outcome,
    });
    if (result === 'refused') this.#control.stop('lease-lost');
    this.#control.throwIfOver();
  }

  #encodeResult(name: string, result: unknown): string | null {
    const encoding = encodeJson(result, { maxBytes: this.#maxResultBytes });
    if (encoding.ok) return encoding.text ?? null;
    const { reason, cause, isTooLarge } = encoding;
    const fault = isTooLarge ? 'too much' : "what JSON can't hold";
    const message = `Step "${name}" returned ${fault}: ${reason}`;
    throw new StepError(message, cause === undefined ? undefined : { cause });
  }

  #writeLog(level: LogLevel, message: string, data?: unknown): void {
    if (this.#journal.leavesOutLogLine()) return;
    const step = currentStep();
    const stepName = step?.owner === this ? step.name : null;
    const limits = { mode: this.#errorDetail, maxBytes: this.#maxResultBytes };
    callOutsideRuns(() => this.#journal.note(logNote({ stepName, level, message, data }, limits)));
  }
}

/** Anything may have been thrown, and reading from it may throw too. */
function causeOf(error: unknown): unknown {
  try {
    return error instanceof Error ? error.cause : undefined;
  } catch {
    return undefined;
  }
}
