import * as z from 'zod';
import type { DurablyService } from '../core/durably.ts';
import { dropPromises } from '../core/errors/dropped.ts';
import { errorMessage } from '../core/errors/error-text.ts';
import { ValidationError } from '../core/errors/errors.ts';
import type { Logger } from '../core/logger.ts';
import {
  functionOption,
  loggerOption,
  numberOption,
  type OptionSchemas,
  objectWith,
  signalOption,
} from '../core/validation/option-types.ts';
import { shownValue } from '../core/validation/shown-value.ts';
import { ANYONE, createAuthenticate, type DurablyAuth, withoutJobNames } from './auth.ts';
import { readJson, refuseBody } from './body.ts';
import {
  IDEMPOTENCY_HEADER,
  refusedIdempotencyHeader,
  withIdempotencyHeader,
} from './inputs/idempotency-header.ts';
import { bodyOf, JsonAnswer, linkToNext } from './json-answer.ts';
import type { EventsAnswer, Operation } from './operation.ts';
import {
  type Problem,
  problemOfStatus,
  problemResponse,
  RequestError,
  toProblem,
  toValidationError,
} from './problem.ts';
import { parseQuery } from './query.ts';
import { createReport, type ErrorContext, type ReportOf } from './report.ts';
import { type AnswerMaker, asStreamed, headOf, isResponse } from './response.ts';
import { createEventStreams, EVENT_STREAM_HEADERS } from './sse.ts';

export const DEFAULT_MAX_BODY_BYTES = 1024 * 1024;

/** Who may call the handlers, and within which bounds. */
export interface CreateDurablyHandlerOptions<TContext = unknown> {
  /**
   * Called once for each request, before anything else. If it throws a Response, that is the answer. If it
   * throws an error, the answer is a problem.
   */
  onRequest?: (request: Request) => Promise<void> | void;
  /** Access control for every handler. By default everyone may do everything. */
  auth?: DurablyAuth<TContext> | undefined;
  /** Larger bodies are refused with 413. Default: 1 MiB. */
  maxBodyBytes?: number | undefined;
  /**
   * Receives the errors behind answers with status 500 and 503. By default they go to the console, where an
   * unavailable database gets one line when the outage begins.
   */
  onError?: ((error: unknown, about: ErrorContext) => void) | undefined;
  /** Receives those errors as lines, in place of the console, if there is no `onError`. */
  logger?: Logger | undefined;
  /** When aborted, `/tick` answers 503, because a process that is about to exit takes no new work. */
  draining?: AbortSignal | undefined;
  /** When aborted, every event stream ends. */
  shutdown?: AbortSignal | undefined;
  /**
   * Query parameters that your own hooks read, such as the `token` of an EventSource. Other unknown parameters
   * are refused.
   */
  queryParams?: readonly string[] | undefined;
  /**
   * How often an idle event stream sends a comment, ms. Default: 15000. On some platforms only a failed write
   * shows that the reader has gone.
   */
  keepAliveMs?: number | undefined;
}

/** The options of a handler. An app has more. */
export const HANDLER_OPTIONS: OptionSchemas<CreateDurablyHandlerOptions> = {
  onRequest: functionOption,
  auth: objectWith([], 'must be an object of hooks'),
  maxBodyBytes: numberOption((bytes) => Number.isInteger(bytes) && bytes > 0, 'a positive whole number'),
  onError: functionOption,
  logger: loggerOption,
  draining: signalOption,
  shutdown: signalOption,
  queryParams: z.array(z.string('must be a list of names'), 'must be a list of names'),
  keepAliveMs: numberOption((ms) => Number.isFinite(ms) && ms > 0, 'a positive number of ms'),
};

/** One request, with what the surrounding framework knows about it. */
export interface PipelineCall {
  readonly request: Request;
  /** Finds the operation, or throws the reason why there is none. */
  readonly select: (request: Request) => Operation;
  /** Creates successful answers, for frameworks that add their own headers. */
  readonly answer?: AnswerMaker | undefined;
  /** The bytes of the body, if the framework has already read and cached them. */
  readonly keptBody?: (() => Promise<ArrayBuffer>) | undefined;
  readonly requestId?: string | undefined;
  /** Query parameters that the framework reads itself. */
  readonly queryParams?: readonly string[] | undefined;
}

/** Answers a request with the operation's result or with a problem. Never rejects. */
export type Pipeline = (call: PipelineCall) => Promise<Response>;

/**
 * The steps of every request: onRequest → authenticate → select → parse → access → act. Any error becomes a
 * problem. The body is read only after the caller is known.
 */
export function createPipeline<TContext>(
  durably: DurablyService,
  options: CreateDurablyHandlerOptions<TContext>,
  reportOf: ReportOf = createReport(options.onError, options.logger),
): Pipeline {
  if (typeof durably !== 'object' || durably === null) {
    throw new ValidationError(`A durably instance must be given, not ${shownValue(durably)}`);
  }
  const { maxBodyBytes = DEFAULT_MAX_BODY_BYTES } = options;
  const authenticate = createAuthenticate(durably, options.auth);
  const { shutdown, keepAliveMs, queryParams: ownParams = [] } = options;
  const streams = createEventStreams({ shutdown, keepAliveMs });

  const queryOf = ({ request, queryParams = [] }: PipelineCall, schema: z.ZodObject) =>
    parseQuery(request, schema, [...ownParams, ...queryParams]);

  const parse = async ({ input, method }: Operation, call: PipelineCall) => {
    const { request, keptBody } = call;
    if (input.from === 'query') {
      // If the outer app has already read the body, it is responsible for the limit.
      if (method !== 'GET' && (keptBody !== undefined || !request.bodyUsed)) {
        const params = Object.keys(input.schema.shape);
        await refuseBody(request, { params, maxBytes: maxBodyBytes, kept: keptBody });
      }
      return queryOf(call, input.schema);
    }
    const isBoth = input.from === 'both';
    const query =
      isBoth || request.url.includes('?') ? queryOf(call, isBoth ? input.query : noParameters) : undefined;
    const body = isBoth ? input.body : input.schema;
    const given = await readJson(request, { maxBytes: maxBodyBytes, kept: keptBody });
    const parsed = body.safeParse(given === undefined ? emptyBodyOf(body) : given);
    if (!parsed.success) throw toValidationError(parsed.error);
    return query === undefined ? parsed.data : { ...query, ...parsed.data };
  };

  const checkDraining = () => {
    if (!options.draining?.aborted) return;
    throw new RequestError('DRAINING', 'The service is shutting down and takes no work up');
  };

  const answerPieces = async ({ pieces, nextCursor }: JsonAnswer, call: PipelineCall) => {
    const { answer = plainAnswer } = call;
    const body = await bodyOf(pieces, reportOf(call.requestId));
    const link = nextCursor === null ? {} : { link: linkToNext(call.request.url, nextCursor) };
    const response = answer(body, { ...JSON_HEADERS, ...link });
    return body instanceof ReadableStream ? asStreamed(response) : response;
  };

  const answerEvents = (events: EventsAnswer, call: PipelineCall) => {
    const { answer = plainAnswer } = call;
    if (events.kind === 'ended') return new Response(null, { status: 204 });
    const feed = { ...events, signal: call.request.signal, report: reportOf(call.requestId) };
    return asStreamed(answer(streams.open(feed), EVENT_STREAM_HEADERS));
  };

  const hide = options.auth === undefined ? (each: unknown) => each : withoutJobNames;

  const answer: Pipeline = async (call) => {
    const { request } = call;
    const toCaller = { hide, report: (error: unknown) => reportOf(call.requestId)(error) };
    try {
      if (options.onRequest !== undefined) await options.onRequest(request);
      const caller = authenticate === undefined ? ANYONE : await authenticate(request);
      const operation = call.select(request);
      const parsed = await parse(operation, call);
      const header = request.headers.get(IDEMPOTENCY_HEADER);
      const given = header === null ? parsed : withHeader(operation, header, parsed);
      const input = caller.authorize === undefined ? given : await caller.authorize(operation, given);
      if (operation.effect === 'work') checkDraining();
      if (operation.answers === 'events') return answerEvents(await operation.act(durably, input), call);
      const result = await operation.act(durably, input, caller.allowRun, (error) =>
        problemOf(error, toCaller),
      );
      if (result instanceof JsonAnswer) return await answerPieces(result, call);
      return (call.answer ?? plainAnswer)(JSON.stringify(result), JSON_HEADERS);
    } catch (error) {
      return answerOf(error, toCaller);
    }
  };

  return (call) => (call.request.method === 'HEAD' ? answer(call).then(headOf) : answer(call));
}

/** The input with what the header `Idempotency-Key` adds to it. */
function withHeader(
  operation: Operation,
  header: string,
  input: Record<string, unknown>,
): Record<string, unknown> {
  if ('takesIdempotencyKey' in operation) return withIdempotencyHeader(header, input);
  if (operation.effect === 'trigger' && operation.input.from === 'body') throw refusedIdempotencyHeader();
  return input;
}

const noParameters = z.object({});

/** An empty body reads as an object without members, where the schema accepts one. */
function emptyBodyOf(schema: z.ZodObject): object {
  if (schema.safeParse({}).success) return {};
  throw new ValidationError('The body is empty; it must be JSON');
}

const JSON_HEADERS = { 'content-type': 'application/json' } as const;

const plainAnswer: AnswerMaker = (body, headers) => new Response(body, { headers });

/** How errors are passed on to callers. */
interface Told {
  readonly hide: (error: unknown) => unknown;
  readonly report: (error: unknown) => void;
}

/** A hook may throw any value, even one whose properties throw when they are read. */
function problemOf(error: unknown, { hide, report }: Told): Problem {
  try {
    return isResponse(error) ? problemOfStatus(error.status) : toProblem(hide(error), report);
  } catch {
    return toProblem(new Error(errorMessage(error)), report);
  }
}

function answerOf(error: unknown, { hide, report }: Told): Response {
  dropPromises(error);
  try {
    return isResponse(error) ? error : problemResponse(hide(error), report);
  } catch {
    return problemResponse(new Error(errorMessage(error)), report);
  }
}
