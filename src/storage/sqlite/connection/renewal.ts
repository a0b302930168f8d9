import { DatabaseUnavailableError } from '../../../core/errors/errors.ts';
import { classifyDatabaseError } from './database-error.ts';

/**
 * Renews a connection that met SQLITE_BUSY before it executes anything else. After that error,
 * libSQL's connections report success and commit nothing.
 */
export class Renewal {
  readonly #renew: (() => Promise<void>) | undefined;
  readonly #isRemote: boolean;
  /** The connection met BUSY and cannot be renewed. Everything is refused with this error. */
  #spoiled: DatabaseUnavailableError | undefined;
  /** The connection met BUSY and its renewal failed. Nothing may be executed until a renewal succeeds. */
  #isDue = false;

  /** @param renew opens another connection. Undefined if the driver cannot. */
  constructor(renew: (() => Promise<void>) | undefined, { isRemote }: { readonly isRemote: boolean }) {
    this.#renew = renew;
    this.#isRemote = isRemote;
  }

  /**
   * Does a renewal that failed earlier. @throws {DatabaseUnavailableError} if nothing may be
   * executed now.
   */
  async beforeUse(): Promise<void> {
    if (this.#spoiled) throw this.#spoiled;
    if (this.#isDue) await this.#renewNow();
  }

  /** Whether {@link beforeUse} has something to do. */
  get isPending(): boolean {
    return this.#isDue || this.#spoiled !== undefined;
  }

  /** @throws {DatabaseUnavailableError} if it cannot be renewed now. The next use tries again. */
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
