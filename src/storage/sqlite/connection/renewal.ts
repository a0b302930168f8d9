import { DatabaseUnavailableError } from '../../../core/errors/errors.ts';
import { classifyDatabaseError } from './database-error.ts';

/**
 * Renews a connection that met SQLITE_BUSY before anything else is executed on
 * it: libSQL's connections answer success from then on, and commit nothing.
 */
export class Renewal {
  readonly #renew: (() => Promise<void>) | undefined;
  readonly #isRemote: boolean;
  /** Why nothing may be executed any more: a BUSY connection that can't be renewed. */
  #spoiled: DatabaseUnavailableError | undefined;
  /** The connection met BUSY, and its renewal failed: until it succeeds nothing may be executed on it. */
  #isDue = false;

  /** @param renew opens another connection; undefined where the driver can't. */
  constructor(renew: (() => Promise<void>) | undefined, { isRemote }: { readonly isRemote: boolean }) {
    this.#renew = renew;
    this.#isRemote = isRemote;
  }

  /** What was left undone earlier. @throws {DatabaseUnavailableError} if nothing may be executed now. */
  async beforeUse(): Promise<void> {
    if (this.#spoiled) throw this.#spoiled;
    if (this.#isDue) await this.#renewNow();
  }

  /** Whether {@link beforeUse} has something to do. */
  get isPending(): boolean {
    return this.#isDue || this.#spoiled !== undefined;
  }

  /** @throws {DatabaseUnavailableError} if it can't be renewed now; the next use tries it again. */
  async after(error: unknown): Promise<void> {
    const fault = classifyDatabaseError(error, this.#isRemote);
    if (fault === 'statement' || fault === 'blocked' || error === this.#spoiled) return;
    if (this.#renew) {
      await this.#renewNow();
    } else if (fault === 'busy') {
      this.#spoiled = new DatabaseUnavailableError(
        'The database was busy and its connection cannot be renewed: pass createDurably a `reconnect`',
        { cause: error, permanent: true },
      );
      throw this.#spoiled;
    }
  }

  async #renewNow(): Promise<void> {
    this.#isDue = true;
    try {
      await this.#renew?.();
      this.#isDue = false;
    } catch (error) {
      throw new DatabaseUnavailableError('The database connection could not be renewed', { cause: error });
    }
  }
}
