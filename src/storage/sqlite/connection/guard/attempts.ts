import type { DatabaseUnavailableError } from '../../../../core/errors/errors.ts';
import { type Clock, defer } from '../../../../core/time/clock.ts';
import type { Adapter } from '../../adapter.ts';
import type { Closing } from '../closing.ts';
import { isClosedError } from '../database-error.ts';
import { inTime } from '../in-time.ts';
import { rowsOf } from '../libsql-client.ts';
import { Renewal } from '../renewal.ts';
import { Turns } from '../turns.ts';

/** A remote database that has not answered a read in this time is considered to have lost it. */
const READ_WITHIN_MS = 5_000;
/**
 * The same for a write. A server that waits for its lock to be freed answers after five to ten
 * seconds, and cutting a write off can harm its queue.
 */
const WRITE_WITHIN_MS = 15_000;
/** When a request without an answer counts as gone, if its driver does not end it. The dialects of durably do so before. */
const GONE_AFTER_MS = 16_000;

/** Executes once. Aborting the signal ends it, where the driver can. */
export type Execute<T> = (signal?: AbortSignal) => Promise<T>;

interface AttemptsDeps {
  readonly adapter: Adapter;
  readonly clock: Clock;
  readonly closing: Closing;
  /** Renews the dialect's connection if its driver cannot. */
  readonly reconnect: (() => void | Promise<void>) | undefined;
  readonly onRenewal?: (() => void) | undefined;
}

interface AttemptOptions {
  readonly commits?: boolean;
  /** It waits for the right to write, though it does not commit. */
  readonly takesLock?: boolean | undefined;
  /** When to give up a read over a network, on the monotonic clock. */
  readonly deadlineMs?: number;
  /** Called when a request over a network is given up. It is under way until the promise settles. */
  readonly onGivenUp?: ((gone: Promise<unknown>) => void) | undefined;
}

/**
 * Executes statements, once each. A local database executes them in {@link Turns}, on a connection
 * that is renewed after BUSY. A remote database must answer within a time limit.
 */
export class Attempts {
  readonly #adapter: Adapter;
  readonly #clock: Clock;
  readonly #closing: Closing;
  readonly #renewal: Renewal;
  readonly #turns = new Turns();

  constructor({ adapter, clock, closing, reconnect, onRenewal = () => undefined }: AttemptsDeps) {
    this.#adapter = adapter;
    this.#clock = clock;
    this.#closing = closing;
    const renew = reconnect ?? adapter.renew;
    const renewInTime =
      renew &&
      (() => {
        onRenewal();
        return inTime((async () => renew())(), { withinMs: READ_WITHIN_MS, clock, closing });
      });
    this.#renewal = new Renewal(renewInTime, adapter);
  }

  /** Executes once. @throws {DatabaseUnavailableError} if the connection is closed or cannot be renewed. */
  make<T>(
    execute: Execute<T>,
    { commits = false, takesLock = commits, deadlineMs, onGivenUp }: AttemptOptions = {},
  ): Promise<T> {
    if (!this.#adapter.isRemote) return this.#inTurn(execute, commits);
    const withinMs = takesLock ? WRITE_WITHIN_MS : this.#readWithinMs(deadlineMs);
    return this.#overNetwork(execute, withinMs, onGivenUp);
  }

  #readWithinMs(deadlineMs = Number.POSITIVE_INFINITY): number {
    return Math.max(0, Math.min(READ_WITHIN_MS, deadlineMs - this.#clock.monotonicMs()));
  }

  async #overNetwork<T>(
    execute: Execute<T>,
    withinMs: number,
    onGivenUp: AttemptOptions['onGivenUp'],
  ): Promise<T> {
    if (this.#closing.error) throw this.#closing.error;
    const cut = new AbortController();
    let isGone = false;
    const request = execute(cut.signal).finally(() => {
      isGone = true;
    });
    const limits = { clock: this.#clock, closing: this.#closing };
    try {
      return await inTime(request, { ...limits, withinMs });
    } catch (error) {
      const closed = this.#closedBy(error);
      cut.abort();
      if (!isGone && !closed) onGivenUp?.(inTime(request, { ...limits, withinMs: GONE_AFTER_MS - withinMs }));
      throw closed ?? error;
    }
  }

  async #inTurn<T>(execute: () => Promise<T>, commits: boolean): Promise<T> {
    if (this.#closing.error) throw this.#closing.error;
    const done = await this.#turns.take(commits);
    try {
      if (this.#closing.error) throw this.#closing.error;
      if (this.#renewal.isPending) await this.#renewal.beforeUse();
      const result = await execute();
      if (commits) this.#turns.noteCommit();
      else this.#turns.noteRead(rowsOf(result));
      return result;
    } catch (error) {
      const closed = this.#closedBy(error);
      if (closed) throw closed;
      await this.#renewal.after(error);
      // Waiting for the lock held up the event loop, so the next statement leaves in another turn.
      await new Promise<void>((resolve) => defer(resolve));
      throw error;
    } finally {
      done();
    }
  }

  /**
   * If the error says that the client was closed, the error with which everything is refused from
   * now on. A renewed client is not closed.
   */
  #closedBy(error: unknown): DatabaseUnavailableError | undefined {
    if (this.#closing.error) return this.#closing.error;
    const isClosed = this.#adapter.isClosed?.() ?? isClosedError(error);
    return isClosed ? this.#closing.close(error) : undefined;
  }
}
