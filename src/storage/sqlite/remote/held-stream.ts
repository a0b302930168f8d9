import { LibsqlBatchError, LibsqlError } from '@libsql/client';
import * as hrana from '@libsql/hrana-client';
import { type Clock, systemClock } from '../../../core/time/clock.ts';
import type { Batch } from '../adapter.ts';
import { ANSWER_WITHIN_MS } from './timed-fetch.ts';

/** The server ends a stream that is idle for 10 s. */
const MAX_IDLE_MS = 5_000;
/** What is between may drop a WebSocket that is idle, without a word. */
export const MAX_IDLE_SOCKET_MS = 60_000;

type Statements = Parameters<Batch>[0];

export interface HeldStreamOptions {
  readonly url: string;
  readonly authToken: string | undefined;
  /** Sends requests over HTTP. */
  readonly fetch: (request: Request) => Promise<Response>;
  readonly clock?: Clock;
}

/** A stream, and how long it lasts. */
interface Opened {
  readonly stream: hrana.Stream;
  readonly isClosed: () => boolean;
  close(): void;
}

interface Opener {
  readonly open: () => Opened;
  readonly maxIdleMs: number;
  /** When a batch without an answer is given up. Undefined if something else does so. */
  readonly answerWithinMs?: number;
}

/**
 * One stream for all writes of a process. A stream is a connection inside of the server, which `@libsql/client`
 * opens and closes for each batch. libsql-server 0.24 may keep the place of a closed connection in its write queue
 * and wait for it for ever. A connection that stays open takes its turn with its next write: one that was told that the
 * server is busy may still have a place in the queue, so it is kept as well.
 */
export class HeldStream {
  readonly #opener: Opener;
  readonly #clock: Clock;
  readonly #opened = new Set<Opened>();
  /** The stream and its last use. Undefined while a batch is under way: another one opens its own. */
  #held: { readonly opened: Opened; readonly usedMs: number } | undefined;
  #isClosed = false;

  constructor({ url, authToken, fetch, clock = systemClock }: HeldStreamOptions) {
    const { hranaHttpUrl, hranaWsUrl, authToken: ownToken } = hrana.parseLibsqlUrl(url);
    const token = authToken ?? ownToken;
    if (hranaHttpUrl !== undefined) this.#opener = overHttp({ url: hranaHttpUrl, token, fetch });
    else if (hranaWsUrl !== undefined) this.#opener = overWebSocket(() => hrana.openWs(hranaWsUrl, token));
    else throw new TypeError('the address is not one of a libSQL server');
    this.#clock = clock;
  }

  /**
   * Executes the statements in one transaction that writes. Its errors are like those of `@libsql/client`. After an
   * error, but that the server is busy, the next batch has another stream. A server that was started again meanwhile refuses a batch once.
   */
  async batch(statements: Statements): Promise<readonly unknown[]> {
    const opened = this.#take() ?? this.#open();
    const { answerWithinMs } = this.#opener;
    const stopTimer = answerWithinMs && this.#clock.schedule(answerWithinMs, () => this.#close(opened));
    try {
      const results = await executeBatch(opened.stream, statements);
      this.#hold(opened);
      return results;
    } catch (error) {
      if (error instanceof BusyError) this.#hold(opened);
      // Whatever the transaction holds ends with the stream.
      else this.#close(opened);
      throw toClientError(error instanceof BusyError ? error.cause : error);
    } finally {
      if (stopTimer) stopTimer();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#held = undefined;
    for (const opened of this.#opened) this.#close(opened);
  }

  #open(): Opened {
    if (this.#isClosed) throw new LibsqlError('The client is closed', 'CLIENT_CLOSED');
    const opened = this.#opener.open();
    this.#opened.add(opened);
    return opened;
  }

  #hold(opened: Opened): void {
    if (this.#held !== undefined) this.#close(this.#held.opened);
    this.#held = { opened, usedMs: this.#clock.monotonicMs() };
  }

  #close(opened: Opened): void {
    this.#opened.delete(opened);
    opened.close();
  }

  #take(): Opened | undefined {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return undefined;
    const isFresh = this.#clock.monotonicMs() - held.usedMs < this.#opener.maxIdleMs;
    if (isFresh && !held.opened.isClosed()) return held.opened;
    this.#close(held.opened);
    return undefined;
  }
}

/**
 * The client would close a stream by a request after an answer was lost. A server that hangs would have that beside the
 * next write. It is not sent: the server ends the stream by itself.
 */
function overHttp({
  url,
  token,
  fetch,
}: { readonly url: string; readonly token: string | undefined } & Pick<HeldStreamOptions, 'fetch'>): Opener {
  const open = (): Opened => {
    let isClosing = false;
    const send = async (request: Request) => {
      if (stream.closed && !isClosing) throw new TypeError('the stream is closed');
      return await fetch(request);
    };
    const client = hrana.openHttp(url, token, send);
    client.intMode = 'number';
    const stream = client.openStream();
    const close = () => {
      isClosing ||= !stream.closed;
      stream.close();
    };
    return { stream, isClosed: () => stream.closed, close };
  };
  return { open, maxIdleMs: MAX_IDLE_MS };
}

/** Each stream has a socket of its own, so that one that answers nothing holds up no other stream. */
function overWebSocket(connect: () => hrana.WsClient): Opener {
  const open = (): Opened => {
    const client = connect();
    client.intMode = 'number';
    const stream = client.openStream();
    return { stream, isClosed: () => client.closed || stream.closed, close: () => client.close() };
  };
  return { open, maxIdleMs: MAX_IDLE_SOCKET_MS, answerWithinMs: ANSWER_WITHIN_MS };
}

async function executeBatch(stream: hrana.Stream, statements: Statements): Promise<readonly unknown[]> {
  const { ok, not } = hrana.BatchCond;
  const batch = stream.batch();
  const begin = batch.step();
  const begun = quiet(begin.run('BEGIN IMMEDIATE'));
  let last = begin;
  const answers = statements.map(({ sql, parameters }) => {
    const step = batch.step().condition(ok(last));
    last = step;
    return quiet(step.query(new hrana.Stmt(sql).bindIndexes([...parameters])));
  });
  const commit = batch.step().condition(ok(last));
  const committed = quiet(commit.run('COMMIT'));
  const rollback = batch.step().condition(not(ok(commit)));
  void quiet(rollback.run('ROLLBACK'));
  await batch.execute();
  await begun.catch((error: unknown) => {
    throw isBusy(error) ? new BusyError(error) : error;
  });
  const results: unknown[] = [];
  for (const [i, answer] of answers.entries()) {
    try {
      results.push(await answer);
    } catch (error) {
      const known = toClientError(error);
      if (!(known instanceof LibsqlError)) throw known;
      throw new LibsqlBatchError(known.message, i, known.code);
    }
  }
  await committed;
  return results;
}

/** The transaction was not begun, because others have the server. */
class BusyError extends Error {
  constructor(cause: unknown) {
    super('the server is busy', { cause });
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof hrana.ResponseError && error.code?.startsWith('SQLITE_BUSY') === true;
}

/** Errors of steps are read when the batch has been answered. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

export function toClientError(error: unknown): unknown {
  if (!(error instanceof hrana.ClientError)) return error;
  return new LibsqlError(error.message, codeOf(error), undefined, undefined, error);
}

function codeOf(error: hrana.ClientError): string {
  if (error instanceof hrana.HttpServerError) return 'SERVER_ERROR';
  if (error instanceof hrana.WebSocketError) return 'HRANA_WEBSOCKET_ERROR';
  if (error instanceof hrana.ClosedError)
    return error.cause instanceof hrana.ClientError ? codeOf(error.cause) : 'HRANA_CLOSED_ERROR';
  return (error instanceof hrana.ResponseError ? error.code : undefined) ?? 'UNKNOWN';
}
