import type { QueryResult } from 'kysely';
import { type Clock, defer } from '../../../core/clock.ts';
import type { DatabaseUnavailableError } from '../../../core/errors/errors.ts';
import type { Adapter } from '../adapter.ts';
import type { Closing } from './closing.ts';
import { isClosedError } from './database-error.ts';
import { inTime } from './in-time.ts';
import { Renewal } from './renewal.ts';
import { Turns } from './turns.ts';

/** If a remote database has not answered a read by then, the request or its answer is taken for lost. */
const READ_WITHIN_MS = 5_000;
/**
 * The same for a write. A server that gives its lock to somebody else answers after five
 * to ten seconds, and a write that is cut off can harm its queue.
 */
const WRITE_WITHIN_MS = 15_000;

interface AttemptsDeps {
  readonly adapter: Adapter;
  readonly clock: Clock;
  readonly closing: Closing;
  /** Renews the dialect's connection, where its driver has no client that can. */
  readonly reconnect: (() => void | Promise<void>) | undefined;
}

export interface AttemptOptions {
  readonly commits?: boolean;
  /** When a read over a network is given up, on the monotonic clock. */
  readonly deadlineMs?: number;
}

/**
 * Tries of statements. A local database executes them in turns, on a connection that is
 * renewed after BUSY. A remote one has so much time to answer.
 */
export class Attempts {
  readonly #adapter: Adapter;
  readonly #clock: Clock;
  readonly #closing: Closing;
  readonly #renewal: Renewal;
  readonly #turns = new Turns();

  constructor({ adapter, clock, closing, reconnect }: AttemptsDeps) {
    this.#adapter = adapter;
    this.#clock = clock;
    this.#closing = closing;
    const renew = reconnect ?? adapter.renew;
    const renewInTime =
      renew && (() => inTime((async () => renew())(), { withinMs: READ_WITHIN_MS, clock, closing }));
    this.#renewal = new Renewal(renewInTime, adapter);
  }

  /** Executes once. @throws {DatabaseUnavailableError} if the connection is closed, or can't be renewed. */
  async make<T>(execute: () => Promise<T>, { commits = false, deadlineMs }: AttemptOptions): Promise<T> {
    if (this.#closing.error) throw this.#closing.error;
    return this.#adapter.isRemote
      ? await this.#overNetwork(execute, commits ? WRITE_WITHIN_MS : this.#readWithinMs(deadlineMs))
      : await this.#inTurn(execute, commits);
  }

  #readWithinMs(deadlineMs = Number.POSITIVE_INFINITY): number {
    return Math.max(0, Math.min(READ_WITHIN_MS, deadlineMs - this.#clock.monotonicMs()));
  }

  async #overNetwork<T>(execute: () => Promise<T>, withinMs: number): Promise<T> {
    return await inTime(execute(), { withinMs, clock: this.#clock, closing: this.#closing }).catch(
      (error: unknown) => {
        throw this.#closedBy(error) ?? error;
      },
    );
  }

  async #inTurn<T>(execute: () => Promise<T>, commits: boolean): Promise<T> {
    const done = await this.#turns.take(commits);
    try {
      if (this.#closing.error) throw this.#closing.error;
      if (this.#renewal.isPending) await this.#renewal.beforeUse();
      const result = await execute();
      if (commits) this.#turns.noteCommit();
      else if (hasRows(result)) this.#turns.noteRead(result.rows);
      return result;
    } catch (error) {
      const closed = this.#closedBy(error);
      if (closed) throw closed;
      await this.#renewal.after(error);
      // Waiting for the lock held the event loop, so the next statement gets a turn of its own.
      await new Promise<void>((resolve) => defer(resolve));
      throw error;
    } finally {
      done();
    }
  }

  /** The error to refuse everything with, if this one came from a closed client. A renewed client is not closed. */
  #closedBy(error: unknown): DatabaseUnavailableError | undefined {
    if (this.#closing.error) return this.#closing.error;
    const isClosed = this.#adapter.isClosed?.() ?? isClosedError(error);
    return isClosed ? this.#closing.close(error) : undefined;
  }
}

/** Whether these are a statement's rows; beginning a transaction has none. */
function hasRows(result: unknown): result is QueryResult<unknown> {
  return typeof result === 'object' && result !== null && 'rows' in result;
}
