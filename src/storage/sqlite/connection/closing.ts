import { DatabaseUnavailableError } from '../../../core/errors/errors.ts';

/** The database connection was closed by `db.destroy()` or by its owner. Nothing can be executed any more. */
export class DatabaseClosedError extends DatabaseUnavailableError {
  constructor(cause?: unknown) {
    super('The database connection was closed', { permanent: true, cause });
  }
}

/** Whether the connection was closed for good. Notifies those who must know at once. */
export class Closing {
  #error: DatabaseClosedError | undefined;
  readonly #onClose = new Set<(error: DatabaseClosedError) => void>();

  /** The error with which everything is refused. Undefined while the connection is open. */
  get error(): DatabaseClosedError | undefined {
    return this.#error;
  }

  /** Marks the connection as closed, and returns the error with which everything is refused. */
  close(cause?: unknown): DatabaseClosedError {
    if (this.#error !== undefined) return this.#error;
    const error = new DatabaseClosedError(cause);
    this.#error = error;
    for (const tell of [...this.#onClose]) tell(error);
    this.#onClose.clear();
    return error;
  }

  /** Calls `tell` once when the connection is closed. The returned function unsubscribes. */
  onClose(tell: (error: DatabaseClosedError) => void): () => void {
    this.#onClose.add(tell);
    return () => void this.#onClose.delete(tell);
  }
}
