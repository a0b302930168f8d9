import { type ErrorDetailMode, encodeErrorDetail } from '../../../core/errors/error-detail.ts';
import { errorMessage } from '../../../core/errors/error-text.ts';
import { DurablyError, PluginError, StepError } from '../../../core/errors/errors.ts';
import { encodeJson } from '../../../core/json/json.ts';
import { redact, redactMessage } from '../../../core/json/redacted.ts';
import type { AppendResult, OwnerNote } from '../../../core/store.ts';
import type { Clock } from '../../../core/time/clock.ts';
import type { RetryData } from '../../../core/wait.ts';
import type { OwnerJournal } from '../journal/owner-journal.ts';
import type { RunControl } from '../run-control.ts';
import type { StepCall, StepCalls } from './step-calls.ts';

interface StepOutcomesDeps {
  readonly control: RunControl;
  readonly journal: OwnerJournal;
  readonly clock: Clock;
  readonly calls: StepCalls;
  readonly errorDetail: ErrorDetailMode;
}

/** What else is stored with an outcome of a kind of step that calls no function. */
export type OutcomeOf = Pick<OwnerNote, 'stepKind' | 'signalSeq' | 'data'> & {
  /** How long the step took. Default: since it began in this execution. */
  readonly durationMs?: number;
};

/** Stores the outcomes of steps. The job continues only when its step's outcome is stored. */
export class StepOutcomes {
  readonly #control: RunControl;
  readonly #journal: OwnerJournal;
  readonly #clock: Clock;
  readonly #calls: StepCalls;
  readonly #errorDetail: ErrorDetailMode;

  constructor({ control, journal, clock, calls, errorDetail }: StepOutcomesDeps) {
    this.#control = control;
    this.#journal = journal;
    this.#clock = clock;
    this.#calls = calls;
    this.#errorDetail = errorDetail;
  }

  /**
   * Stores a step's result. If the database refuses the result itself, the step fails.
   *
   * @throws {StepError} then.
   * @throws {RunCancelledError | LeaseLostError} if the run is no longer this worker's.
   */
  async complete(call: StepCall, output: string | null, of: OutcomeOf = {}): Promise<void> {
    try {
      this.#check(
        await this.#record({
          type: 'step:complete',
          stepName: call.name,
          stepIndex: call.index,
          durationMs: this.#clock.monotonicMs() - call.startMs,
          data: call.isSensitive ? redact(output) : output,
          ...of,
        }),
      );
    } catch (error) {
      if (error instanceof DurablyError && !(error instanceof PluginError)) throw error;
      // The result may be too large, for example.
      const what = error instanceof PluginError ? error.message : 'the database refused its result';
      const refusal = `Step "${call.name}": ${what}`;
      return await this.fail(call, new StepError(refusal, { cause: error }), of);
    }
    this.#calls.complete(call);
  }

  /** Notes a result that is stored with the next outcome. */
  noteCompleted(call: StepCall, of: OutcomeOf): void {
    this.#journal.note({ type: 'step:complete', stepName: call.name, stepIndex: call.index, ...of });
    this.#calls.complete(call);
  }

  /**
   * Stores that the step failed, and throws its error.
   *
   * @throws {RunCancelledError | LeaseLostError} if the run is no longer this worker's.
   */
  async fail(call: StepCall, error: unknown, of: OutcomeOf = {}): Promise<never> {
    // Its function may pass on what a sensitive step has thrown.
    const isSensitive = this.#calls.isSensitive(error, call);
    try {
      const detail = encodeErrorDetail(error, { mode: this.#errorDetail, stepName: call.name });
      this.#check(
        await this.#record({
          ...this.#failNote(call, messageOf(error, isSensitive), isSensitive ? redact(detail) : detail),
          ...of,
        }),
      );
    } catch (failure) {
      if (failure instanceof DurablyError && !(failure instanceof PluginError)) throw failure;
      const note = this.#failNote(call, 'The database refused the text of its error');
      this.#check(await this.#record({ ...note, ...of, isPlain: true }));
    }
    this.#calls.fail(call, error);
    throw error;
  }

  /**
   * Stores that a try of the step failed, and when the next one is due.
   *
   * @throws {RunCancelledError | LeaseLostError} if the run is no longer this worker's.
   */
  async retry(
    call: StepCall,
    {
      attempt,
      error,
      dueAtMs,
    }: { readonly attempt: number; readonly error: unknown; readonly dueAtMs: number },
  ): Promise<void> {
    const data: RetryData = { attempt, dueAt: dueAtMs };
    const note = {
      type: 'step:retry',
      stepName: call.name,
      stepIndex: call.index,
      data: JSON.stringify(data),
    } as const;
    try {
      const message = messageOf(error, this.#calls.isSensitive(error, call));
      this.#check(await this.#record({ ...note, message }));
    } catch (failure) {
      if (failure instanceof DurablyError && !(failure instanceof PluginError)) throw failure;
      // The database may refuse the error's text, for example.
      return await this.fail(call, error);
    }
  }

  #failNote(call: StepCall, message: string, data?: string | null): OwnerNote {
    const { name: stepName, index: stepIndex, startMs } = call;
    const durationMs = this.#clock.monotonicMs() - startMs;
    return { type: 'step:fail', stepName, stepIndex, durationMs, message, data: data ?? null };
  }

  #record(note: OwnerNote): Promise<AppendResult> {
    this.#control.throwIfOver();
    return this.#journal.record(note);
  }

  #check(result: AppendResult): void {
    if (result === 'refused') this.#control.stop('lease-lost');
    this.#control.throwIfOver();
  }
}

function messageOf(error: unknown, isSensitive: boolean): string {
  const message = errorMessage(error);
  return isSensitive ? redactMessage(message) : message;
}

/** A step's result as JSON text, null for undefined. @throws {StepError} for what JSON can't hold. */
export function encodeResult(stepName: string, result: unknown, maxBytes: number): string | null {
  const encoding = encodeJson(result, { maxBytes });
  if (encoding.ok) return encoding.text ?? null;
  const { reason, cause, isTooLarge } = encoding;
  const fault = isTooLarge ? 'too much' : "what JSON can't hold";
  const message = `Step "${stepName}" returned ${fault}: ${reason}`;
  throw new StepError(message, cause === undefined ? undefined : { cause });
}
