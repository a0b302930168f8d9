import { TICKET_PATH, ticketQuery } from '../gate.ts';
import { livenessSchema, readinessSchema } from '../probes.ts';
import { TICKET_SECONDS, ticketSchema } from '../stream-ticket.ts';
import type { DocumentContext } from './described-instance.ts';
import { type Json, jsonContent } from './json-schema.ts';
import { parametersOf } from './parameters.ts';
import { bodyRefusals, commonRefusals, refusalsOf, retryAfter } from './refusals.ts';

export const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: 'A key of `DURABLY_API_KEYS`' },
  ticket: {
    type: 'apiKey',
    in: 'query',
    name: 'ticket',
    description: `A ticket from \`POST ${TICKET_PATH}\`. It opens streams for ${TICKET_SECONDS} seconds. A stream that is open stays open`,
  },
};

/** The path under which callers with a key get tickets for streams. */
export function ticketPath({ components, instance }: DocumentContext): Json {
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

/** The paths at the root. The base path does not apply to them. */
export function rootPaths({ components, instance }: DocumentContext): Json {
  const readiness = jsonContent(readinessSchema, { components, io: 'output' });
  const liveness = jsonContent(livenessSchema, { components, io: 'output' });
  const { hasKeys, hasMetrics } = instance;
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
    ...(hasMetrics && {
      '/metrics': get('metrics', 'Get numbers for a monitor', {
        200: {
          description: 'The text format of Prometheus',
          content: { 'text/plain': { schema: { type: 'string' } } },
        },
      }),
    }),
    '/openapi.json': get('openapi', 'Get this document', {
      200: { description: 'OpenAPI 3.1', content: { 'application/json': { schema: { type: 'object' } } } },
    }),
  };
}
