import { LibsqlBatchError, LibsqlError } from '@libsql/client';
import * as hrana from '@libsql/hrana-client';
import { systemClock } from '../../../core/time/clock.ts';
import type { Batch } from '../adapter.ts';

/** The server ends a stream that is idle for 10 s. */
const MAX_IDLE_MS = 5_000;

type Statements = Parameters<Batch>[0];

export interface HeldStreamOptions {
  readonly url: string;
  readonly authToken: string | undefined;
  readonly fetch: (request: Request) => Promise<Response>;
  readonly monotonicMs?: () => number;
}

/**
 * One stream for all writes of a process over HTTP. A stream is a connection inside of the server, which `@libsql/client`
 * opens and closes for each batch. libsql-server 0.24 may keep the place of a closed connection in its write queue
 * and wait for it for ever. A connection that stays open takes its turn with its next write.
 */
export class HeldStream {
  readonly #client: hrana.HttpClient;
  readonly #monotonicMs: () => number;
  /** The stream and its last use. Undefined while a batch is under way: another one opens its own. */
  #held: { readonly stream: hrana.HttpStream; readonly usedMs: number } | undefined;

  constructor({ url, authToken, fetch, monotonicMs = () => systemClock.monotonicMs() }: HeldStreamOptions) {
    const parsed = hrana.parseLibsqlUrl(url);
    if (parsed.hranaHttpUrl === undefined) throw new TypeError('the address is not one of HTTP');
    this.#client = hrana.openHttp(parsed.hranaHttpUrl, authToken ?? parsed.authToken, fetch);
    this.#client.intMode = 'number';
    this.#monotonicMs = monotonicMs;
  }

  /**
   * Executes the statements in one transaction that writes. Its errors are like those of `@libsql/client`. After an
   * error the next batch has another stream. A server that was started again meanwhile refuses a batch once.
   */
  async batch(statements: Statements): Promise<readonly unknown[]> {
    const stream = this.#take() ?? this.#client.openStream();
    try {
      const results = await executeBatch(stream, statements);
      this.#held?.stream.close();
      this.#held = { stream, usedMs: this.#monotonicMs() };
      return results;
    } catch (error) {
      // Whatever the transaction holds ends with the stream.
      stream.close();
      throw toClientError(error);
    }
  }

  close(): void {
    this.#take();
    this.#client.close();
  }

  #take(): hrana.HttpStream | undefined {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined || held.stream.closed) return undefined;
    if (this.#monotonicMs() - held.usedMs < MAX_IDLE_MS) return held.stream;
    held.stream.close();
    return undefined;
  }
}

async function executeBatch(stream: hrana.HttpStream, statements: Statements): Promise<readonly unknown[]> {
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
  await begun;
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

/** Errors of steps are read when the batch has been answered. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function toClientError(error: unknown): unknown {
  if (!(error instanceof hrana.ClientError)) return error;
  return new LibsqlError(error.message, codeOf(error), undefined, undefined, error);
}

function codeOf(error: hrana.ClientError): string {
  if (error instanceof hrana.HttpServerError) return 'SERVER_ERROR';
  return (error instanceof hrana.ResponseError ? error.code : undefined) ?? 'UNKNOWN';
}
