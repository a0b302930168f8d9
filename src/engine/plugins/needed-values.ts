import { UnreadableError } from '../../core/errors/errors.ts';
import { isSealed } from '../../core/json/sealed.ts';
import { type Codec, openText } from './codec.ts';

/** What can end an execution. */
interface Ends {
  /** False if the execution was over already. */
  failUnreadable(error: UnreadableError): boolean;
  throwIfOver(): void;
}

/** Decodes the values that an execution goes on with. */
export class NeededValues {
  readonly #codec: Codec | undefined;
  readonly #ends: Ends;

  constructor(codec: Codec | undefined, ends: Ends) {
    this.#codec = codec;
    this.#ends = ends;
  }

  /** Whether a value that is known already may take a while. */
  get takesTime(): boolean {
    return this.#codec !== undefined;
  }

  /**
   * The text as it was before it was encoded. If it can't be decoded, the run fails, and this never resolves: the job would take
   * an error for the failure of a step, and go on.
   *
   * @throws {UnreadableError | RunCancelledError | LeaseLostError} if the execution was over already.
   */
  async open(text: string): Promise<string> {
    if (!isSealed(text)) return text;
    try {
      return await openText(this.#codec, text);
    } catch (error) {
      if (error instanceof UnreadableError && this.#ends.failUnreadable(error)) {
        return await new Promise<never>(() => undefined);
      }
      this.#ends.throwIfOver();
      throw error;
    }
  }
}
