import {
  ConflictError,
  DatabaseUnavailableError,
  type DurablyError,
  IdempotencyKeyReusedError,
  InputTooLargeError,
  NotFoundError,
  ValidationError,
  type ValidationIssue,
} from '../core/errors/errors.ts';
import {
  ForbiddenError,
  RateLimitedError,
  ServiceError,
  ServiceUnavailableError,
  UnauthorizedError,
} from '../core/errors/service-errors.ts';
import { isObject, parseJson } from './foreign.ts';

/** The headers of an answer that is no success, and what it says. */
export interface RefusedAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The method and the URL without its query, for messages. */
  readonly where: string;
}

/** What the service says of a path that it does not have. Such a path means that the client's `url` is wrong. */
const UNKNOWN_PATH = /^Nothing is at /;

/** Whether an error says that the client's `url` is wrong, not that a run is unknown. */
export function isUnknownPath(error: NotFoundError): boolean {
  return UNKNOWN_PATH.test(error.message);
}

/** The error of an answer that is no success: a class of durably, or a {@link ServiceError}. */
export function errorOf(answer: RefusedAnswer): DurablyError {
  const problem = parseJson(answer.text);
  if (isObject(problem) && typeof problem.code === 'string' && typeof problem.detail === 'string') {
    return errorOfProblem({ code: problem.code, detail: problem.detail, issues: problem.issues }, answer);
  }
  return errorOfStatus(answer);
}

interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly issues: unknown;
}

/** The error of a problem that is a part of an answer, such as one of a batch. */
export function errorOfPart(problem: unknown, answer: Omit<RefusedAnswer, 'text'>): DurablyError {
  return errorOf({ ...answer, text: JSON.stringify(problem) ?? '' });
}

function errorOfProblem(
  { code, detail, issues }: Problem,
  answer: Omit<RefusedAnswer, 'text'>,
): DurablyError {
  switch (code) {
    case 'VALIDATION':
      return new ValidationError(detail, issuesOf(issues));
    case 'BODY_TOO_LARGE':
      return new InputTooLargeError(detail, issuesOf(issues));
    case 'NOT_FOUND':
      return new NotFoundError(UNKNOWN_PATH.test(detail) ? `${detail}: is the url right?` : detail);
    case 'CONFLICT':
      return new ConflictError(detail);
    case 'IDEMPOTENCY_KEY_REUSED':
      return new IdempotencyKeyReusedError();
    case 'UNAUTHORIZED':
      return new UnauthorizedError(detail);
    case 'FORBIDDEN':
      return new ForbiddenError(detail);
    case 'RATE_LIMITED':
      return new RateLimitedError(detail, retryAfterMs(answer.headers));
    case 'DATABASE_UNAVAILABLE':
      return new DatabaseUnavailableError(detail);
    case 'DRAINING':
    case 'PLUGIN_TIMEOUT':
      return new ServiceUnavailableError(detail);
    default:
      return new ServiceError(detail, { status: answer.status, requestId: requestIdOf(answer.headers) });
  }
}

/** The error of an answer that durably did not write: a proxy's, or that of another program. */
function errorOfStatus({ status, headers, where }: Omit<RefusedAnswer, 'text'>): DurablyError {
  const message = `${where} was answered ${status}`;
  if (status === 401) return new UnauthorizedError(message);
  if (status === 403) return new ForbiddenError(message);
  if (status === 429) return new RateLimitedError(message, retryAfterMs(headers));
  if (status >= 502 && status <= 504) return new ServiceUnavailableError(message);
  const hint = status < 500 ? ', not by durably: is the url right?' : '';
  return new ServiceError(`${message}${hint}`, { status, requestId: requestIdOf(headers) });
}

function issuesOf(given: unknown): ValidationIssue[] {
  if (!Array.isArray(given)) return [];
  return given.flatMap((issue: unknown) => {
    if (!isObject(issue) || typeof issue.message !== 'string' || !Array.isArray(issue.path)) return [];
    const isKey = (key: unknown) => typeof key === 'string' || typeof key === 'number';
    return [{ path: issue.path.filter(isKey), message: issue.message }];
  });
}

export function requestIdOf(headers: Headers): string | null {
  return headers.get('x-request-id');
}

/** `Retry-After` in ms: it is a number of seconds or a date (RFC 9110, 10.2.3). Null without one. */
export function retryAfterMs(headers: Headers, nowMs: number = Date.now()): number | null {
  const given = headers.get('retry-after');
  if (given === null) return null;
  const ms = /^\d+$/.test(given) ? Number(given) * 1000 : Date.parse(given) - nowMs;
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}
