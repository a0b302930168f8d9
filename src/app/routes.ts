import { zValidator } from '@hono/zod-validator';
import type { Context, Env, Handler, Hono } from 'hono';
import { readJson } from '../http/body.ts';
import type { Operation, OperationInput } from '../http/operation.ts';
import { operations } from '../http/operations/index.ts';
import type { Pipeline } from '../http/pipeline.ts';
import { toValidationError } from '../http/problem.ts';
import { routes, wrongMethod } from '../http/routing.ts';
import { TICKET_PARAM } from './gate.ts';
import { keptBody } from './kept-body.ts';
import { answerMaker } from './standard-headers.ts';

export interface OperationRoutes {
  readonly basePath: string;
  readonly pipeline: Pipeline;
  readonly maxBodyBytes: number;
  /** Whether streams may be opened with a ticket, which was read before. */
  readonly hasTickets: boolean;
}

/** A route for each operation, and 405 for the other methods of its path. */
export function mountOperations(app: Hono, options: OperationRoutes): void {
  const { basePath, pipeline, maxBodyBytes, hasTickets } = options;
  for (const operation of operations) {
    const queryParams = hasTickets && operation.answers === 'events' ? [TICKET_PARAM] : [];
    const read = operation.input.from === 'body' ? bodyReader(operation, maxBodyBytes) : undefined;
    const answer: Handler = (c) => {
      const readBody = read && (() => read(c));
      return pipeline({
        request: c.req.raw,
        select: () => operation,
        readBody,
        keptBody: keptBody(c),
        queryParams,
        requestId: c.get('requestId'),
        answer: answerMaker(c),
      });
    };
    app.on(operation.method, [`${basePath}${operation.path}`], answer);
  }
  for (const [path, byMethod] of routes) {
    app.all(`${basePath}${path}`, (c) =>
      pipeline({
        request: c.req.raw,
        select: () => {
          throw wrongMethod(c.req.method, byMethod.keys());
        },
        requestId: c.get('requestId'),
      }),
    );
  }
}

/** Reads a body within its limit, then validates it; the pipeline calls this when the body's turn has come. */
function bodyReader({ input }: Operation, maxBodyBytes: number): (c: Context) => Promise<OperationInput> {
  return async (c: Context<Env, string, { out: { json: OperationInput } }>) => {
    const value = await readJson(c.req.raw, maxBodyBytes, keptBody(c));
    // What hono's validator gets at is read without a limit, and only if it is declared to be JSON.
    Object.assign(c.req, { json: async () => value });
    const validate = zValidator(
      'json',
      input.schema,
      (result) => {
        if (!result.success) throw toValidationError(result.error);
      },
      { validationFunction: (schema) => schema.safeParse(value) },
    );
    await validate(c, async () => {});
    return c.req.valid('json');
  };
}
