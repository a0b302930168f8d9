import type { Operation } from '../../http/operation.ts';
import { operations } from '../../http/operations/index.ts';
import { type ProblemCode, problemSchema, RETRY_AFTER_SECONDS, statusOf } from '../../http/problem.ts';
import type { DescribedInstance, DocumentContext } from './described-instance.ts';
import { type Json, toJson } from './json-schema.ts';

/** The problems that every operation may answer with. */
export function commonRefusals({
  hasKeys,
  hasAuth,
  hasRateLimit,
}: DescribedInstance): readonly ProblemCode[] {
  return [
    'VALIDATION',
    ...(hasKeys || hasAuth ? (['UNAUTHORIZED'] as const) : []),
    'FORBIDDEN',
    ...(hasRateLimit ? (['RATE_LIMITED'] as const) : []),
    'INTERNAL',
    'DATABASE_UNAVAILABLE',
  ];
}

/** The problems of requests that may have a body, including operations that expect none. */
export const bodyRefusals = [
  'BODY_TOO_LARGE',
  'UNSUPPORTED_ENCODING',
] as const satisfies readonly ProblemCode[];

const refusalText: Record<ProblemCode, string> = {
  VALIDATION: 'A parameter or the body is missing or invalid',
  UNAUTHORIZED: 'The key or the ticket is missing or invalid',
  FORBIDDEN:
    'The caller is not allowed to do this, or the request names a foreign `Host` or comes from a foreign `Origin`',
  NOT_FOUND: 'The run or the job does not exist',
  METHOD_NOT_ALLOWED: 'The path does not support this method',
  REQUEST_TIMEOUT: 'The request did not arrive in time',
  CONFLICT: "The run's status does not allow this",
  BODY_TOO_LARGE: 'The body is larger than the limit',
  UNSUPPORTED_ENCODING: 'The body has a Content-Encoding',
  IDEMPOTENCY_KEY_REUSED: 'The `Idempotency-Key` was used with another input',
  RATE_LIMITED: 'The key has sent too many requests in this minute',
  HEAD_TOO_LARGE: 'The address and the headers are too large',
  INTERNAL: 'The service failed. Its log has the cause',
  BODY_CONSUMED: 'The app around this service has already read the body',
  DATABASE_UNAVAILABLE: 'The database is unreachable, busy or not migrated',
  DRAINING: 'The service is shutting down',
  PLUGIN_TIMEOUT: 'A plugin of the service has not answered in time',
};

export function refusalCodesOf({ method, refusals }: Operation, instance: DescribedInstance): ProblemCode[] {
  return [...commonRefusals(instance), ...refusals, ...(method === 'GET' ? [] : bodyRefusals)];
}

/** Responses by their status, as references. */
export function refusalsOf(codes: readonly ProblemCode[]): Json {
  return Object.fromEntries(
    codes.map((code) => [String(statusOf(code)), { $ref: `#/components/responses/${code}` }]),
  );
}

/** The responses that {@link refusalsOf} refers to. */
export function refusalResponses({ components, instance }: DocumentContext): Json {
  const schema = toJson(problemSchema, { components, io: 'output' });
  const content = { 'application/problem+json': { schema } };
  const used = new Set(operations.flatMap((operation) => refusalCodesOf(operation, instance)));
  return Object.fromEntries(
    [...used].map((code) => [
      code,
      {
        description: refusalText[code],
        content,
        ...(code in headersOf ? { headers: headersOf[code] } : {}),
      },
    ]),
  );
}

export const retryAfter = {
  'Retry-After': { description: 'Seconds', schema: { type: 'integer', const: RETRY_AFTER_SECONDS } },
};

const headersOf: Partial<Record<ProblemCode, Json>> = {
  UNAUTHORIZED: { 'WWW-Authenticate': { schema: { type: 'string', const: 'Bearer' } } },
  RATE_LIMITED: { 'Retry-After': { description: 'Seconds', schema: { type: 'integer', minimum: 1 } } },
  DATABASE_UNAVAILABLE: retryAfter,
};
