import { onAbort } from '../core/abort-listeners.ts';
import { DatabaseUnavailableError, type DurablyError } from '../core/errors/errors.ts';
import { RateLimitedError, ServiceError, ServiceUnavailableError } from '../core/errors/service-errors.ts';
import type { Clock } from '../core/time/clock.ts';
import type { ClientOperation } from './operations.ts';
import { errorOf, requestIdOf, retryAfterMs } from './problem.ts';
import { type Input, type PreparedRequest, requestFor } from './request.ts';
import { afterSilence, type Backoff, pause, pauseMs, type Surroundings, unlessAborted } from './time.ts';

/** Like the global `fetch`. */
export type FetchFunction = (url: string, init: RequestInit) => Promise<Response>;

/** How one call is sent. */
export interface CallOptions {
  /** Aborting it ends the call at once, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A call of an operation. */
export interface Call extends CallOptions {
  readonly input: Input;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request without a successful answer. */
export interface Failed {
  readonly kind: 'failed';
  readonly error: DurablyError;
  /** When the service wants to be asked again. Null if it did not say. */
  readonly retryAfterMs: number | null;
}

/** A successful answer whose body has not been read. */
export interface Opened {
  readonly kind: 'opened';
  readonly response: Response;
  /** The method and the URL without its query, for messages. */
  readonly where: string;
  /** Ends the request. Must be called, also when the body has been read. */
  readonly close: () => void;
}

/** A successful answer. */
export interface Answer extends Pick<Opened, 'response' | 'where'> {
  readonly kind: 'answered';
  /** The parsed JSON of the body. */
  readonly body: unknown;
}

/** Sends operations to one service. */
export interface Transport extends Surroundings {
  /**
   * Sends an operation, again if need be, and reads the JSON of its answer.
   *
   * @throws {DurablyError} of the class that fits the answer.
   */
  call(operation: ClientOperation, call: Call): Promise<Answer>;
  /** Sends an operation once, and leaves the body to the caller. Rejects only if the signal aborts. */
  open(operation: ClientOperation, call: Call): Promise<Opened | Failed>;
}

export interface TransportOptions extends Surroundings {
  /** The address of the operations, without a slash at its end. */
  readonly base: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: FetchFunction;
}

/** How often a call is sent that may be sent again. */
export const MAX_TRIES = 5;
const ANSWER_WITHIN_MS = 30_000;
/** Without a byte of the body for so long, the connection is dead. */
const BODY_SILENCE_MS = 30_000;
const BACKOFF: Backoff = { firstMs: 250, longestMs: 4_000 };

export function createTransport(options: TransportOptions): Transport {
  const { base, headers, clock, random } = options;
  const prepare = (operation: ClientOperation, call: Call) =>
    requestFor(base, operation, { input: call.input, headers: { ...headers, ...call.headers } });

  return {
    clock,
    random,
    open: async (operation, call) =>
      await openRequest(prepare(operation, call), { operation, call, options }),
    async call(operation, call) {
      const request = prepare(operation, call);
      for (let failures = 1; ; failures++) {
        const opened = await openRequest(request, { operation, call, options });
        const outcome =
          opened.kind === 'opened' ? await readJson(opened, { operation, call, clock }) : opened;
        if (outcome.kind === 'answered') return outcome;
        const isOver = failures >= MAX_TRIES || operation.again === 'never';
        if (isOver || !isUnavailable(outcome.error)) throw outcome.error;
        const ms = pauseMs(failures, BACKOFF, { random, retryAfterMs: outcome.retryAfterMs });
        await pause(clock, ms, call.signal);
      }
    },
  };
}

async function openRequest(
  request: PreparedRequest,
  {
    operation,
    call: { signal },
    options: { clock, fetch },
  }: { readonly operation: ClientOperation; readonly call: Call; readonly options: TransportOptions },
): Promise<Opened | Failed> {
  signal?.throwIfAborted();
  const where = `${request.init.method} ${request.url.split('?')[0]}`;
  const own = new AbortController();
  const stopListening = signal && onAbort(signal, () => own.abort(signal.reason));
  const close = () => {
    stopListening?.();
    own.abort();
  };
  const isLate = () => own.abort(new Error(`no answer within ${ANSWER_WITHIN_MS / 1000} s`));
  const stopWatch =
    operation.answersIn === undefined ? afterSilence(clock, ANSWER_WITHIN_MS, isLate) : undefined;
  try {
    const answered = fetch(request.url, { ...request.init, signal: own.signal });
    const response = await unlessAborted(answered, own.signal);
    if (response.ok) return { kind: 'opened', response, where, close };
    const { status, headers } = response;
    const text = await unlessAborted(response.text(), own.signal);
    close();
    const error = errorOf({ status, headers, text, where });
    return { kind: 'failed', error, retryAfterMs: retryAfterMs(headers) };
  } catch (error) {
    close();
    signal?.throwIfAborted();
    return brokenOff(where, error);
  } finally {
    stopWatch?.();
  }
}

interface BodyReading {
  readonly operation: ClientOperation;
  readonly call: Call;
  readonly clock: Clock;
}

async function readJson(
  { response, where, close }: Opened,
  { operation, call: { signal }, clock }: BodyReading,
): Promise<Answer | Failed> {
  try {
    const text = await (operation.answersIn === undefined && response.body
      ? readText(response.body, { clock, signal })
      : unlessAborted(response.text(), signal));
    if (!/\bjson\b/.test(response.headers.get('content-type') ?? '')) {
      return { kind: 'failed', error: foreignAnswer({ where, response }), retryAfterMs: null };
    }
    return { kind: 'answered', response, where, body: JSON.parse(text) };
  } catch (error) {
    signal?.throwIfAborted();
    return brokenOff(where, error);
  } finally {
    close();
  }
}

/** The text of a body. Rejects when no byte comes for too long, or when the signal aborts. */
async function readText(
  body: ReadableStream<Uint8Array>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal | undefined },
): Promise<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      let stopWatch = () => {};
      const silent = new Promise<never>((_, reject) => {
        const cause = new Error(`nothing was heard for ${BODY_SILENCE_MS / 1000} s`);
        stopWatch = afterSilence(clock, BODY_SILENCE_MS, () => reject(cause));
      });
      const read = Promise.race([reader.read(), silent]);
      const { done, value } = await unlessAborted(read, signal).finally(stopWatch);
      if (done) return text + decoder.decode();
      text += decoder.decode(value, { stream: true });
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/** The error of a successful answer that is not what durably would send. */
export function foreignAnswer({ where, response }: Pick<Opened, 'where' | 'response'>): ServiceError {
  const { status, headers } = response;
  const type = headers.get('content-type') ?? 'no content type';
  return new ServiceError(`${where} was answered with ${type}, not by durably: is the url right?`, {
    status,
    requestId: requestIdOf(headers),
  });
}

/** A body that ends too early is no JSON. */
export function brokenOff(where: string, cause: unknown): Failed {
  const error = new ServiceUnavailableError(`${where} failed: ${reasonOf(cause)}`, { cause });
  return { kind: 'failed', error, retryAfterMs: null };
}

/** `fetch failed` alone says nothing, and an error about several addresses has only a code. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause !== undefined) return reasonOf(error.cause);
  return error.message || ('code' in error ? String(error.code) : error.name);
}

/** Whether the service may answer soon: it could not be reached, shuts down, or its database did not answer. */
function isUnavailable(error: DurablyError): boolean {
  return error instanceof ServiceUnavailableError || error instanceof DatabaseUnavailableError;
}

/** Whether an open stream waits for better times. */
export function isPassing(error: DurablyError): boolean {
  if (isUnavailable(error) || error instanceof RateLimitedError) return true;
  return error instanceof ServiceError && (error.status >= 500 || error.status === 408);
}
