import * as z from 'zod';
import { VERSION } from '../core/version.ts';
import { IDEMPOTENCY_PARAMETER } from '../http/inputs/idempotency-header.ts';
import type { Operation } from '../http/operation.ts';
import { operations } from '../http/operations/index.ts';
import { type ProblemCode, problemSchema, RETRY_AFTER_SECONDS, statusOf } from '../http/problem.ts';
import { headerOf, isRepeatable, prefixOf } from '../http/query.ts';
import { TICKET_PATH, ticketQuery } from './gate.ts';
import { type Components, type Json, jsonContent, toJson } from './json-schema.ts';
import { livenessSchema, readinessSchema } from './probes.ts';
import { TICKET_SECONDS, ticketSchema } from './stream-ticket.ts';

/** The instance to describe. Its settings decide which parameters callers need. */
export interface DescribedInstance {
  readonly basePath: string;
  /** Whether callers need a key. */
  readonly hasKeys: boolean;
  /** Whether the app has hooks that decide on access. */
  readonly hasAuth: boolean;
  readonly hasRateLimit: boolean;
}

/** The problems that every operation may answer with. */
function commonRefusals({ hasKeys, hasAuth, hasRateLimit }: DescribedInstance): readonly ProblemCode[] {
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
const bodyRefusals = ['BODY_TOO_LARGE', 'UNSUPPORTED_ENCODING'] as const satisfies readonly ProblemCode[];

const refusalText: Record<ProblemCode, string> = {
  VALIDATION: 'A parameter or the body is missing or invalid',
  UNAUTHORIZED: 'The key or the ticket is missing or invalid',
  FORBIDDEN:
    'The caller is not allowed to do this, or the request names a foreign `Host` or comes from a foreign `Origin`',
  NOT_FOUND: 'The run or the job does not exist',
  METHOD_NOT_ALLOWED: 'The path does not support this method',
  CONFLICT: "The run's status does not allow this",
  BODY_TOO_LARGE: 'The body is larger than the limit',
  UNSUPPORTED_ENCODING: 'The body has a Content-Encoding',
  IDEMPOTENCY_KEY_REUSED: 'The `Idempotency-Key` was used with another input',
  RATE_LIMITED: 'The key has sent too many requests in this minute',
  INTERNAL: 'The service failed. Its log has the cause',
  BODY_CONSUMED: 'The app around this service has already read the body',
  DATABASE_UNAVAILABLE: 'The database is unreachable, busy or not migrated',
  DRAINING: 'The service is shutting down',
};

/** The OpenAPI 3.1 description of the service (https://spec.openapis.org/oas/v3.1.1). */
export function buildOpenApi(instance: DescribedInstance): Json {
  const { basePath, hasKeys } = instance;
  const components: Components = new Map();
  const context = { components, instance };
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    paths[operation.path] = { ...paths[operation.path], ...pathItem(operation, context) };
  }
  if (hasKeys) paths[TICKET_PATH] = ticketPath(context);
  const root = rootPaths(context);
  const responses = refusalResponses(context);
  return {
    openapi: '3.1.1',
    info: {
      title: 'durably',
      version: VERSION,
      description: 'Durable jobs: trigger a run, follow it, retry or cancel it.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    ...(hasKeys ? { security: [{ bearer: [] }] } : {}),
    servers: [{ url: basePath === '' ? '/' : basePath }],
    paths: { ...paths, ...root },
    components: {
      ...(hasKeys ? { securitySchemes } : {}),
      responses,
      schemas: Object.fromEntries([...components].sort(([one], [other]) => (one < other ? -1 : 1))),
    },
  };
}

const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: 'A key of `DURABLY_API_KEYS`' },
  ticket: {
    type: 'apiKey',
    in: 'query',
    name: 'ticket',
    description: `A ticket from \`POST ${TICKET_PATH}\`. It opens streams for ${TICKET_SECONDS} seconds. A stream that is open stays open`,
  },
};

interface Context {
  readonly components: Components;
  readonly instance: DescribedInstance;
}

function pathItem(operation: Operation, context: Context): Json {
  const { components, instance } = context;
  const { name, method, summary, effect, input } = operation;
  const [query, body] =
    input.from === 'both'
      ? [input.query, input.body]
      : input.from === 'body'
        ? [undefined, input.schema]
        : [input.schema, undefined];
  const parameters = [
    ...(query === undefined ? [] : parametersOf(query, components)),
    ...('takesIdempotencyKey' in operation ? [IDEMPOTENCY_PARAMETER] : []),
  ];
  const request = {
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        required: !body.safeParse({}).success,
        content: jsonContent(body, { components, io: 'input' }),
      },
    }),
  };
  const takesTicket = instance.hasKeys && operation.answers === 'events';
  const security = takesTicket ? { security: [{ bearer: [] }, { ticket: [] }] } : {};
  const described = { operationId: name, summary, tags: [effect], ...security, ...request };
  return { [method.toLowerCase()]: { ...described, responses: responsesOf(operation, context) } };
}

function parametersOf({ shape }: z.ZodObject, components: Components): Json[] {
  return Object.entries(shape).flatMap(([name, schema]) => {
    const { description, ...type } = toJson(z.optional(schema), { components, io: 'output', bounds: 'all' });
    const required = !z.safeParse(schema, undefined).success;
    const common = { required, schema: type, ...(description === undefined ? {} : { description }) };
    // With `explode`, a list repeats its parameter, and an object becomes one parameter per property.
    const list = isRepeatable(schema) || name in prefixOf ? { style: 'form', explode: true } : {};
    const query = { name, in: 'query', ...common, ...list };
    const header = headerOf[name];
    return header === undefined ? [query] : [query, { name: header, in: 'header', ...common }];
  });
}

function responsesOf(operation: Operation, { components, instance }: Context): Json {
  const refusals = refusalsOf(refusalCodesOf(operation, instance));
  return { ...successOf(operation, components), ...refusals };
}

function refusalCodesOf({ method, refusals }: Operation, instance: DescribedInstance): ProblemCode[] {
  return [...commonRefusals(instance), ...refusals, ...(method === 'GET' ? [] : bodyRefusals)];
}

function refusalsOf(codes: readonly ProblemCode[]): Json {
  return Object.fromEntries(
    codes.map((code) => [String(statusOf(code)), { $ref: `#/components/responses/${code}` }]),
  );
}

function ticketPath({ components, instance }: Context): Json {
  return {
    post: {
      operationId: 'streamTicket',
      summary: 'Get a ticket that opens streams without a key',
      tags: ['service'],
      parameters: parametersOf(ticketQuery, components),
      responses: {
        200: { description: 'Done', content: jsonContent(ticketSchema, { components, io: 'output' }) },
        ...refusalsOf([...commonRefusals(instance), 'NOT_FOUND', ...bodyRefusals]),
      },
    },
  };
}

function successOf({ answers, output }: Operation, components: Components): Json {
  if (answers === 'json') {
    const content = jsonContent(output, { components, io: 'output' });
    return { 200: { description: 'Done', content, ...linksOf(output) } };
  }
  const schema = toJson(output, { components, io: 'output' });
  return {
    200: {
      description:
        'Server-sent events without an event name. Each has an `id`, its sequence, and `data`, which is JSON. ' +
        'The schema describes the data of one event.',
      content: { 'text/event-stream': { schema } },
    },
    204: { description: 'The client has received all events, and no more will follow' },
  };
}

/** OpenAPI links from an answer with a run id to the operations on that run. */
function linksOf(output: z.ZodType): Json {
  if (!(output instanceof z.ZodObject) || !('runId' in output.shape)) return {};
  const about = operations.filter(({ input }) => 'runId' in input.schema.shape);
  const link = (operationId: string) => ({ operationId, parameters: { runId: '$response.body#/runId' } });
  return { links: Object.fromEntries(about.map(({ name }) => [name, link(name)])) };
}

function refusalResponses({ components, instance }: Context): Json {
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

const retryAfter = {
  'Retry-After': { description: 'Seconds', schema: { type: 'integer', const: RETRY_AFTER_SECONDS } },
};

const headersOf: Partial<Record<ProblemCode, Json>> = {
  UNAUTHORIZED: { 'WWW-Authenticate': { schema: { type: 'string', const: 'Bearer' } } },
  RATE_LIMITED: { 'Retry-After': { description: 'Seconds', schema: { type: 'integer', minimum: 1 } } },
  DATABASE_UNAVAILABLE: retryAfter,
};

/** The paths at the root. The base path does not apply to them. */
function rootPaths({ components, instance }: Context): Json {
  const readiness = jsonContent(readinessSchema, { components, io: 'output' });
  const liveness = jsonContent(livenessSchema, { components, io: 'output' });
  const { hasKeys } = instance;
  const gateRefusals = commonRefusals({ ...instance, hasAuth: false }).filter(
    (code) => code === 'UNAUTHORIZED' || code === 'RATE_LIMITED',
  );
  const get = (operationId: string, summary: string, responses: Json) => ({
    servers: [{ url: '/' }],
    get: {
      operationId,
      summary,
      tags: ['service'],
      responses: { ...responses, ...refusalsOf(gateRefusals) },
    },
  });
  return {
    '/healthz': {
      servers: [{ url: '/' }],
      get: {
        operationId: 'healthz',
        summary: 'Check that the process answers',
        tags: ['service'],
        ...(hasKeys ? { security: [] } : {}),
        responses: { 200: { description: 'It answers', content: liveness } },
      },
    },
    '/readyz': get('readyz', 'Check that the service accepts and executes runs', {
      200: { description: 'It does', content: readiness },
      503: { description: 'It does not', content: readiness, headers: retryAfter },
    }),
    '/openapi.json': get('openapi', 'Get this document', {
      200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } },
    }),
  };
}
