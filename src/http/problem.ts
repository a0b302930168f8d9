import * as z from 'zod';
import {
  DurablyError,
  type ErrorCode,
  InputTooLargeError,
  ValidationError,
  type ValidationIssue,
} from '../core/errors/errors.ts';
import { toIssues } from '../core/validation/issues.ts';

/** Every problem that this interface answers with: its stable code, its status, and the status's phrase. */
const problems = {
  VALIDATION: { status: 400, title: 'Bad Request' },
  UNAUTHORIZED: { status: 401, title: 'Unauthorized' },
  FORBIDDEN: { status: 403, title: 'Forbidden' },
  NOT_FOUND: { status: 404, title: 'Not Found' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'Method Not Allowed' },
  REQUEST_TIMEOUT: { status: 408, title: 'Request Timeout' },
  CONFLICT: { status: 409, title: 'Conflict' },
  BODY_TOO_LARGE: { status: 413, title: 'Content Too Large' },
  UNSUPPORTED_ENCODING: { status: 415, title: 'Unsupported Media Type' },
  IDEMPOTENCY_KEY_REUSED: { status: 422, title: 'Unprocessable Content' },
  RATE_LIMITED: { status: 429, title: 'Too Many Requests' },
  HEAD_TOO_LARGE: { status: 431, title: 'Request Header Fields Too Large' },
  INTERNAL: { status: 500, title: 'Internal Server Error' },
  BODY_CONSUMED: { status: 500, title: 'Internal Server Error' },
  DATABASE_UNAVAILABLE: { status: 503, title: 'Service Unavailable' },
  DRAINING: { status: 503, title: 'Service Unavailable' },
  PLUGIN_TIMEOUT: { status: 503, title: 'Service Unavailable' },
} as const;

/** The stable `code` of an error answer. */
export type ProblemCode = keyof typeof problems;

const PROBLEM_CODES = Object.keys(problems) as [ProblemCode, ...ProblemCode[]];

/** Sent in place of the error's own text, which may contain internals. */
const genericText: Partial<Record<ProblemCode, string>> = {
  INTERNAL: 'Internal server error',
  DATABASE_UNAVAILABLE: 'The database is unavailable; try again shortly',
};

/** Codes of the core that are shown to callers. Any other code means a fault of the service. */
const problemOf: Partial<Record<ErrorCode, ProblemCode>> = {
  VALIDATION: 'VALIDATION',
  NOT_FOUND: 'NOT_FOUND',
  CONFLICT: 'CONFLICT',
  IDEMPOTENCY_KEY_REUSED: 'IDEMPOTENCY_KEY_REUSED',
  UNREADABLE: 'CONFLICT',
  PLUGIN_TIMEOUT: 'PLUGIN_TIMEOUT',
  DATABASE_UNAVAILABLE: 'DATABASE_UNAVAILABLE',
  SCHEMA_MISMATCH: 'DATABASE_UNAVAILABLE',
};

/** The seconds in `Retry-After` of an answer with status 503. */
export const RETRY_AFTER_SECONDS = 5;

/** RFC 9457, plus `code`, `issues` and `error`. `error` repeats the detail for existing clients. */
export const problemSchema = z
  .object({
    type: z.literal('about:blank'),
    title: z.string().meta({ description: 'The name of the status' }),
    status: z.int(),
    detail: z.string(),
    error: z.string().meta({ description: 'The same text as `detail`' }),
    code: z.enum(PROBLEM_CODES),
    issues: z
      .array(z.object({ path: z.array(z.union([z.string(), z.number()])), message: z.string() }))
      .optional()
      .meta({ description: 'What is wrong with the input, and where' }),
  })
  .meta({ id: 'Problem', description: 'An error (RFC 9457)' });

/**
 * An error that exists only in the HTTP interface. Throw it from a hook: the caller gets
 * its status, code and message.
 *
 * @example throw new RequestError('UNAUTHORIZED', 'No valid session')
 */
export class RequestError extends Error {
  readonly code: ProblemCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'RequestError';
    this.code = code;
    this.headers = headers;
  }
}

/** The HTTP status of an error code. */
export function statusOf(code: ProblemCode): number {
  return problems[code].status;
}

/** The body of an answer to an error. */
export type Problem = z.input<typeof problemSchema>;

/** The answer to an error. */
export function problemResponse(error: unknown, report: (error: unknown) => void): Response {
  const problem = toProblem(error, report);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json', ...extraHeaders(problem.code, error) },
  });
}

/** The problem of an answer that a hook made itself. Its status decides. */
export function problemOfStatus(status: number): Problem {
  const known = PROBLEM_CODES.find((each) => statusOf(each) === status);
  const code = known ?? (status >= 500 ? 'INTERNAL' : 'FORBIDDEN');
  return toProblem(new RequestError(code, problems[code].title), () => undefined);
}

/**
 * The problem that an error is for the caller. If the caller did not cause the error, it goes to `report`, and the caller
 * gets a generic text.
 */
export function toProblem(error: unknown, report: (error: unknown) => void): Problem {
  const code = codeOf(error);
  const generic = genericText[code];
  const { status, title } = problems[code];
  // A shutdown is not an error, so it is not reported.
  if (status >= 500 && code !== 'DRAINING') report(error);
  const detail = generic ?? (error instanceof Error ? error.message : title);
  const issues = error instanceof ValidationError && error.issues.length > 0 ? error.issues : undefined;
  return {
    type: 'about:blank',
    title,
    status,
    detail,
    error: detail,
    code,
    ...(issues && { issues: issues.map(({ path, message }) => ({ path: [...path], message })) }),
  };
}

function codeOf(error: unknown): ProblemCode {
  if (error instanceof RequestError) return error.code;
  if (error instanceof InputTooLargeError) return 'BODY_TOO_LARGE';
  if (error instanceof DurablyError) return problemOf[error.code] ?? 'INTERNAL';
  return 'INTERNAL';
}

function extraHeaders(code: ProblemCode, error: unknown): Readonly<Record<string, string>> {
  if (statusOf(code) === 503) return { 'retry-after': String(RETRY_AFTER_SECONDS) };
  const headers = error instanceof RequestError ? error.headers : {};
  // A 401 must say how to authenticate (RFC 9110, 15.5.2).
  return code === 'UNAUTHORIZED' ? { 'www-authenticate': 'Bearer', ...headers } : headers;
}

/** Turns a failed parse into an error whose message contains the issues. */
export function toValidationError(error: Pick<z.core.$ZodError, 'issues'>): ValidationError {
  const issues = toIssues({ issues: error.issues.map(atMember) });
  return new ValidationError([...new Set(issues.map(placed))].join('; '), issues);
}

/** Says which trigger of a batch it is about, as the library does. */
function placed({ path, message }: ValidationIssue): string {
  const [list, index] = path;
  return list === 'runs' && typeof index === 'number' ? `Run ${index} of the batch: ${message}` : message;
}

/** Reports an unknown member at its own path, not at the path of the object that contains it. */
function atMember(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  const [key] = issue.code === 'unrecognized_keys' && issue.keys.length === 1 ? issue.keys : [];
  return key === undefined ? issue : { ...issue, path: [...issue.path, key] };
}
