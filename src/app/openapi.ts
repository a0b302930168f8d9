import { z } from 'zod';
import type { Operation } from '../http/operation.ts';
import { operations } from '../http/operations/index.ts';
import { type ProblemCode, problemSchema, RETRY_AFTER_SECONDS, statusOf } from '../http/problem.ts';
import { headerOf, isList, prefixOf } from '../http/query.ts';
import { TICKET_PATH, ticketQuery } from './gate.ts';
import { livenessSchema, readinessSchema } from './probes.ts';
import { TICKET_SECONDS, ticketSchema } from './stream-ticket.ts';

type Json = Record<string, unknown>;

/** What any operation may answer with, whatever it does. */
const commonRefusals: readonly ProblemCode[] = [
  'VALIDATION',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'RATE_LIMITED',
  'INTERNAL',
  'DATABASE_UNAVAILABLE',
];

const refusalText: Record<ProblemCode, string> = {
  VALIDATION: 'A parameter or the body is missing or not valid',
  UNAUTHORIZED: 'The key, or the ticket, is missing or not valid',
  FORBIDDEN: 'The caller may not, or the request was sent to a foreign host or comes from a foreign origin',
  NOT_FOUND: 'No such run or job',
  METHOD_NOT_ALLOWED: 'The path has other methods',
  CONFLICT: "The run's state forbids it",
  BODY_TOO_LARGE: 'The body is over the limit',
  RATE_LIMITED: 'The key has made too many requests in this minute',
  INTERNAL: 'A fault of the server',
  DATABASE_UNAVAILABLE: 'The database is unreachable, busy or not migrated',
  DRAINING: 'The service is shutting down',
};

/** The OpenAPI 3.1 description of the service (https://spec.openapis.org/oas/v3.1.1). */
export function buildOpenApi({ basePath }: { readonly basePath: string }): Json {
  const components: Components = new Map();
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    paths[operation.path] = { ...paths[operation.path], ...pathItem(operation, components) };
  }
  paths[TICKET_PATH] = ticketPath(components);
  const root = rootPaths(components);
  const responses = refusalResponses(components);
  return {
    openapi: '3.1.1',
    info: {
      title: 'durably',
      version: '0.1.0',
      description: 'Durable jobs: trigger a run, follow it, retry or cancel it.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    security: [{ bearer: [] }],
    servers: [{ url: basePath === '' ? '/' : basePath }],
    paths: { ...paths, ...root },
    components: {
      securitySchemes,
      responses,
      schemas: Object.fromEntries([...components].sort(([one], [other]) => (one < other ? -1 : 1))),
    },
  };
}

/** A service without keys asks for neither. */
const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: 'A key of `DURABLY_API_KEYS`' },
  ticket: {
    type: 'apiKey',
    in: 'query',
    name: 'ticket',
    description: `From \`POST ${TICKET_PATH}\`: opens streams for ${TICKET_SECONDS} seconds, which then stay open`,
  },
};

/** Schemas by the name under which others refer to them. */
type Components = Map<string, unknown>;

function pathItem(operation: Operation, components: Components): Json {
  const { name, method, summary, access, input } = operation;
  const request =
    input.from === 'body'
      ? { requestBody: { required: true, content: jsonContent(input.schema, { components, io: 'input' }) } }
      : { parameters: parametersOf(input.schema, components) };
  const security = operation.answers === 'events' ? { security: [{ bearer: [] }, { ticket: [] }] } : {};
  const described = { operationId: name, summary, tags: [access], ...security, ...request };
  return { [method.toLowerCase()]: { ...described, responses: responsesOf(operation, components) } };
}

function parametersOf({ shape }: z.ZodObject, components: Components): Json[] {
  return Object.entries(shape).flatMap(([name, schema]) => {
    const { description, ...type } = toJson(z.optional(schema), { components, io: 'output' });
    const required = !z.safeParse(schema, undefined).success;
    const common = { required, schema: type, ...(description === undefined ? {} : { description }) };
    // Exploded, a list repeats its parameter, and an object has one for each of its properties.
    const list = isList(schema) || name in prefixOf ? { style: 'form', explode: true } : {};
    const query = { name, in: 'query', ...common, ...list };
    const header = headerOf[name];
    return header === undefined ? [query] : [query, { name: header, in: 'header', ...common }];
  });
}

function responsesOf(operation: Operation, components: Components): Json {
  return { ...successOf(operation, components), ...refusalsOf([...commonRefusals, ...operation.refusals]) };
}

function refusalsOf(codes: readonly ProblemCode[]): Json {
  return Object.fromEntries(
    codes.map((code) => [String(statusOf(code)), { $ref: `#/components/responses/${code}` }]),
  );
}

function ticketPath(components: Components): Json {
  return {
    post: {
      operationId: 'streamTicket',
      summary: 'Get a ticket to open streams with; only where keys are configured',
      tags: ['service'],
      parameters: parametersOf(ticketQuery, components),
      responses: {
        200: { description: 'Done', content: jsonContent(ticketSchema, { components, io: 'output' }) },
        ...refusalsOf(['VALIDATION', 'UNAUTHORIZED', 'NOT_FOUND', 'RATE_LIMITED', 'INTERNAL']),
      },
    },
  };
}

function successOf({ answers, output }: Operation, components: Components): Json {
  if (answers === 'json') {
    return { 200: { description: 'Done', content: jsonContent(output, { components, io: 'output' }) } };
  }
  const schema = toJson(output, { components, io: 'output' });
  return {
    200: {
      description:
        'Server-sent events, each `id: <sequence>` and `data: <JSON>`, without an event name. ' +
        'The schema is that of the data of one frame.',
      content: { 'text/event-stream': { schema } },
    },
    204: { description: 'All events were seen before: nothing will follow' },
  };
}

function refusalResponses(components: Components): Json {
  const schema = toJson(problemSchema, { components, io: 'output' });
  const content = { 'application/problem+json': { schema } };
  const used = new Set(operations.flatMap(({ refusals }) => [...commonRefusals, ...refusals]));
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

/** What is at the root, whatever the base path. */
function rootPaths(components: Components): Json {
  const readiness = jsonContent(readinessSchema, { components, io: 'output' });
  const liveness = jsonContent(livenessSchema, { components, io: 'output' });
  const get = (operationId: string, summary: string, responses: Json) => ({
    servers: [{ url: '/' }],
    get: {
      operationId,
      summary,
      tags: ['service'],
      responses: { ...responses, ...refusalsOf(['UNAUTHORIZED', 'RATE_LIMITED']) },
    },
  });
  return {
    '/healthz': {
      servers: [{ url: '/' }],
      get: {
        operationId: 'healthz',
        summary: 'Whether the process answers',
        tags: ['service'],
        security: [],
        responses: { 200: { description: 'It does', content: liveness } },
      },
    },
    '/readyz': get('readyz', 'Whether work is accepted and run', {
      200: { description: 'It is', content: readiness },
      503: { description: 'It is not', content: readiness, headers: retryAfter },
    }),
    '/openapi.json': get('openapi', 'This document', {
      200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } },
    }),
  };
}

interface SchemaUse {
  readonly components: Components;
  readonly io: 'input' | 'output';
}

function jsonContent(schema: z.ZodType, use: SchemaUse): Json {
  return { 'application/json': { schema: toJson(schema, use) } };
}

/** JSON Schema of a zod schema; those with an id of their own become components. */
function toJson(schema: z.core.$ZodType, { components, io }: SchemaUse): Json {
  const { $schema, $defs, ...own } = z.toJSONSchema(schema, {
    io,
    override: ({ jsonSchema }) => {
      // Answers may grow, and what only zod needs to say is noise here.
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  for (const [id, definition] of Object.entries($defs ?? {}))
    components.set(id, pointToComponents(definition));
  return pointToComponents(own);
}

function pointToComponents(schema: object): Json {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'));
}
