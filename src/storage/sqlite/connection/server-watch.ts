import type { DatabaseTrouble } from '../../../core/durably.ts';
import { errorMessage } from '../../../core/errors/error-text.ts';
import type { Clock } from '../../../core/time/clock.ts';

/** If no write succeeds for this long, though reads are answered, the server does not recover by itself. */
const STUCK_AFTER_MS = 30_000;
/** A read that was answered sooner after a write was sent says nothing: the server may have stopped a moment later. */
const READ_COUNTS_AFTER_MS = 10_000;
/** A read that was answered longer ago says nothing about the server's state now. */
const READ_IS_FRESH_MS = 2_000;

/** What is reported: once when the server has stopped taking writes, and once when it takes them again. */
export type WriteOutage =
  | { readonly kind: 'began'; readonly error: Error }
  | { readonly kind: 'ended'; readonly lastedMs: number };

interface ServerWatchParts {
  readonly clock: Clock;
  /** Sends a read, and resolves when it is answered. */
  readonly read: () => Promise<unknown>;
  readonly onWriteOutage: (outage: WriteOutage) => void;
}

/** Distinguishes a server that reads but takes no writes from one that does not answer. */
export class ServerWatch {
  readonly #parts: ServerWatchParts;
  #lastRead: 'answered' | 'lost' | 'refused' = 'lost';
  #lastReadMs = 0;
  /** When the first write was sent of those that have had no answer. Undefined if the last one was answered. */
  #unansweredSinceMs: number | undefined;
  /** Whether reads were answered before the last write was sent, though earlier writes had long been unanswered. */
  #wasReadable = false;
  #isReading = false;
  #isTold = false;

  constructor(parts: ServerWatchParts) {
    this.#parts = parts;
  }

  noteRead(outcome: 'answered' | 'lost' | 'refused'): void {
    this.#lastRead = outcome;
    this.#lastReadMs = this.#nowMs;
  }

  noteWriteBegins(): void {
    this.#unansweredSinceMs ??= this.#nowMs;
    this.#wasReadable =
      this.#lastRead === 'answered' && this.#lastReadMs - this.#unansweredSinceMs >= READ_COUNTS_AFTER_MS;
  }

  /** The write was executed, or the server said why not. */
  noteWriteAnswered(): void {
    const sinceMs = this.#unansweredSinceMs;
    this.#unansweredSinceMs = undefined;
    if (!this.#isTold || sinceMs === undefined) return;
    this.#isTold = false;
    this.#parts.onWriteOutage({ kind: 'ended', lastedMs: this.#nowMs - sinceMs });
  }

  /**
   * No answer came, or the server was busy: a later write may succeed. Only a write that was lost between two reads with
   * an answer shows that the server is stuck. With one read, it may just have returned from an outage.
   */
  noteWriteLost(error: unknown): void {
    if (this.#isTold || this.#isReading || this.#unansweredForMs < READ_COUNTS_AFTER_MS) return;
    this.#isReading = true;
    const wasReadable = this.#wasReadable;
    this.#parts
      .read()
      .then(
        () => wasReadable && this.#tell(error),
        // The server does not answer at all. Its callers get an error that says so.
        () => undefined,
      )
      .finally(() => {
        this.#isReading = false;
      });
  }

  /** What is wrong with a server that does not take a write now. Undefined if its own error says so. */
  get trouble(): DatabaseTrouble | undefined {
    if (this.#lastRead === 'refused') return undefined;
    const isRead = this.#lastRead === 'answered' && this.#nowMs - this.#lastReadMs <= READ_IS_FRESH_MS;
    return isRead ? 'database takes no writes' : 'database does not answer';
  }

  #tell(cause: unknown): void {
    const forMs = this.#unansweredForMs;
    // A write may have been answered meanwhile.
    if (forMs < STUCK_AFTER_MS) return;
    this.#isTold = true;
    const error = new Error(
      `the server answers reads, but has taken no write for ${Math.round(forMs / 1000)} s (${errorMessage(cause)}). ` +
        'Only a restart is known to help',
      { cause },
    );
    this.#parts.onWriteOutage({ kind: 'began', error });
  }

  get #nowMs(): number {
    return this.#parts.clock.monotonicMs();
  }

  get #unansweredForMs(): number {
    return this.#nowMs - (this.#unansweredSinceMs ?? this.#nowMs);
  }
}
