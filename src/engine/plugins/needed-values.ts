import { UnreadableError } from '../../core/errors/errors.ts';
import { isSealed } from '../../core/json/sealed.ts';
import { type Codec, openText } from './codec.ts';

/** What can end an execution. */
interface Ends {
  failUnreadable(error: UnreadableError): void;
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
   * The text as it was before it was encoded. If it can't be decoded, the run fails: its job must not notice, because it would
   * take that for the failure of a step.
   *
   * @throws {UnreadableError | RunCancelledError | LeaseLostError} once the execution is over.
   */
  async open(text: string): Promise<string> {
    if (!isSealed(text)) return text;
    try {
      return await openText(this.#codec, text);
    } catch (error) {
      if (error instanceof UnreadableError) this.#ends.failUnreadable(error);
      this.#ends.throwIfOver();
      throw error;
    }
  }
}
