import * as z from 'zod';
import { VERSION } from '../../core/version.ts';
import { IDEMPOTENCY_PARAMETER } from '../../http/inputs/idempotency-header.ts';
import type { Operation } from '../../http/operation.ts';
import { operations } from '../../http/operations/index.ts';
import { TICKET_PATH } from '../gate.ts';
import type { DescribedInstance, DocumentContext } from './described-instance.ts';
import { type Components, type Json, jsonContent, toJson } from './json-schema.ts';
import { parametersOf } from './parameters.ts';
import { refusalCodesOf, refusalResponses, refusalsOf } from './refusals.ts';
import { rootPaths, securitySchemes, ticketPath } from './service-paths.ts';

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

function pathItem(operation: Operation, context: DocumentContext): Json {
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

function responsesOf(operation: Operation, { components, instance }: DocumentContext): Json {
  const refusals = refusalsOf(refusalCodesOf(operation, instance));
  return { ...successOf(operation, components), ...refusals };
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
