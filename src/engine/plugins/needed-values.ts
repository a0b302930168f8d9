import { PluginTimeoutError, UnreadableError } from '../../core/errors/errors.ts';
import { isRedacted, revealedMessage } from '../../core/json/redacted.ts';
import { isSealed } from '../../core/json/sealed.ts';
import type { ClaimedRun } from '../../core/ownership/claim.ts';
import { type Codec, openJson, openText } from './codec.ts';

/** What can end an execution. */
interface Ends {
  /** Settles when the execution is stopped. */
  readonly stopped: Promise<unknown>;
  /** False if the execution was over already. */
  failUnreadable(error: UnreadableError | PluginTimeoutError): boolean;
  throwIfOver(): void;
}

/** Decodes the values that an execution goes on with. */
export class NeededValues {
  readonly #codec: Codec | undefined;
  readonly #ends: Ends;
  #inputFault: unknown;

  constructor(codec: Codec | undefined, ends: Ends) {
    this.#codec = codec;
    this.#ends = ends;
  }

  /** Whether a value that is known already may take a while. */
  get takesTime(): boolean {
    return this.#codec !== undefined;
  }

  /**
   * The run with its input decoded, or as it is if that can't be done, or the run is stopped before. {@link input} says then what was
   * wrong, so that plugins around the run see it fail.
   */
  async withInput(run: ClaimedRun): Promise<ClaimedRun> {
    if (!isSealed(run.payload)) return run;
    const opening = openJson(this.#codec, run.payload).then(
      (payload) => ({ ...run, payload }),
      (error: unknown) => {
        this.#inputFault = error;
        return run;
      },
    );
    return await Promise.race([opening, this.#ends.stopped.then(() => run)]);
  }

  /** The input, for the job that begins now. Like {@link open} for one that could not be decoded. */
  async input({ payload }: ClaimedRun): Promise<string> {
    return isSealed(payload) ? await this.#fail(this.#inputFault) : payload;
  }

  /**
   * The JSON text as it was before it was encoded. If it can't be decoded, the run fails, and this never resolves: the job would take
   * an error for the failure of a step, and go on.
   *
   * @throws {UnreadableError | PluginTimeoutError | RunCancelledError | LeaseLostError} if the execution was over already.
   */
  async open(text: string): Promise<string> {
    if (!isSealed(text)) return text;
    try {
      return await openJson(this.#codec, text);
    } catch (error) {
      return await this.#fail(error);
    }
  }

  /** {@link open} for a message. It is also revealed: a sensitive step may have thrown it. */
  async openMessage(text: string): Promise<{ readonly message: string; readonly isSensitive: boolean }> {
    try {
      const opened = await openText(this.#codec, text);
      return { message: revealedMessage(opened), isSensitive: isRedacted(opened) };
    } catch (error) {
      return await this.#fail(error);
    }
  }

  async #fail(error: unknown): Promise<never> {
    const isOfPlugin = error instanceof UnreadableError || error instanceof PluginTimeoutError;
    if (isOfPlugin && this.#ends.failUnreadable(error)) return await new Promise<never>(() => undefined);
    this.#ends.throwIfOver();
    throw error;
  }
}
