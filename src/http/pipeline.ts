import type { DurablyService } from '../core/durably.ts';
import { ValidationError } from '../core/errors.ts';
import { bodyOf } from './body.ts';
import type { Operation } from './operation.ts';
import { problemResponse, toValidationError } from './problem.ts';
import { readQuery } from './query.ts';
import { createEventStreams } from './sse.ts';

export const DEFAULT_MAX_BODY_BYTES = 1024 * 1024;

export interface CreateDurablyHandlerOptions {
  /**
   * Called once for each request, before anything else. A Response it throws
   * is the answer; an error it throws is answered as a problem.
   */
  onRequest?: (request: Request) => Promise<void> | void;
  /** Larger bodies are refused with 413. 1 MiB unless given. */
  maxBodyBytes?: number | undefined;
  /** Hears the causes of answers with status 500 and 503. Writes them to the console unless given. */
  onError?: ((error: unknown) => void) | undefined;
  /** Ends every event stream when aborted. */
  shutdown?: AbortSignal | undefined;
  /**
   * How often an event stream without events sends a comment, ms; 15000 unless
   * given. On some platforms only that finds out that the reader has gone.
   */
  keepAliveMs?: number | undefined;
}

/** Answers a request by the operation that `select` names, or with the problem it throws. */
export type Pipeline = (request: Request, select: (request: Request) => Operation) => Promise<Response>;

/**
 * What every request goes through: onRequest → authenticate → parse → access →
 * act, and any error on the way becomes a problem. (Authentication is yet to
 * come: its principal and the operation's `access` are what the access check
 * will need.)
 */
export function createPipeline(durably: DurablyService, options: CreateDurablyHandlerOptions): Pipeline {
  const maxBodyBytes = checkMaxBodyBytes(options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES);
  const report = createReport(options.onError);
  const { shutdown, keepAliveMs } = options;
  const streams = createEventStreams({ report, shutdown, keepAliveMs: checkKeepAliveMs(keepAliveMs) });

  const parse = async ({ input }: Operation, request: Request) => {
    const given =
      input.from === 'body' ? await bodyOf(request, maxBodyBytes) : readQuery(request, input.schema);
    const parsed = input.schema.safeParse(given);
    if (!parsed.success) throw toValidationError(parsed.error);
    return parsed.data;
  };

  const act = async (operation: Operation, call: { input: Record<string, unknown>; request: Request }) => {
    if (operation.answers === 'json') return jsonResponse(await operation.act(durably, call.input));
    const answer = await operation.act(durably, call.input);
    return answer.kind === 'ended'
      ? new Response(null, { status: 204 })
      : streams.respond({ ...answer, signal: call.request.signal });
  };

  const answer: Pipeline = async (request, select) => {
    try {
      await options.onRequest?.(request);
      const operation = select(request);
      const input = await parse(operation, request);
      return await act(operation, { input, request });
    } catch (error) {
      return isResponse(error) ? error : problemResponse(error, report);
    }
  };

  return async (request, select) => {
    const response = await answer(request, select);
    return request.method === 'HEAD' ? withoutBody(response) : response;
  };
}

function jsonResponse(value: unknown): Response {
  return new Response(JSON.stringify(value), { headers: { 'content-type': 'application/json' } });
}

function withoutBody(response: Response): Response {
  response.body?.cancel().catch(() => {});
  return new Response(null, { status: response.status, headers: response.headers });
}

/** By its tag: servers replace the global class, and `fetch` answers with one of its own. */
export function isResponse(value: unknown): value is Response {
  return Object.prototype.toString.call(value) === '[object Response]';
}

/** What hears of errors; it can't fail itself. */
export function createReport(onError: CreateDurablyHandlerOptions['onError']): (error: unknown) => void {
  return (error) => {
    try {
      if (onError === undefined) console.error('durably:', error);
      else onError(error);
    } catch (failure) {
      console.error('durably: onError threw', failure, 'on', error);
    }
  };
}

function checkMaxBodyBytes(maxBodyBytes: number): number {
  if (Number.isInteger(maxBodyBytes) && maxBodyBytes > 0) return maxBodyBytes;
  throw new ValidationError(`maxBodyBytes must be a positive whole number, got ${String(maxBodyBytes)}`);
}

function checkKeepAliveMs(keepAliveMs: number | undefined): number | undefined {
  if (keepAliveMs === undefined || (Number.isFinite(keepAliveMs) && keepAliveMs > 0)) return keepAliveMs;
  throw new ValidationError(`keepAliveMs must be a positive number of ms, got ${String(keepAliveMs)}`);
}
