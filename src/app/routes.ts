import type { Hono } from 'hono';
import { operations } from '../http/operations/index.ts';
import type { Pipeline } from '../http/pipeline.ts';
import { routes, wrongMethod } from '../http/routing.ts';
import { TICKET_PARAM } from './gate.ts';
import { keptBody } from './kept-body.ts';
import { answerMaker } from './standard-headers.ts';

export interface OperationRoutes {
  readonly basePath: string;
  readonly pipeline: Pipeline;
  /** Whether streams accept tickets. The gate has already checked them. */
  readonly hasTickets: boolean;
}

/** Adds a route for each operation, and 405 for the other methods of its path. */
export function mountOperations(app: Hono, options: OperationRoutes): void {
  const { basePath, pipeline, hasTickets } = options;
  for (const operation of operations) {
    const queryParams = hasTickets && operation.answers === 'events' ? [TICKET_PARAM] : undefined;
    const select = () => operation;
    app.on(operation.method, [`${basePath}${operation.path}`], (c) =>
      pipeline({
        request: c.req.raw,
        select,
        keptBody: keptBody(c),
        queryParams,
        requestId: c.get('requestId'),
        answer: answerMaker(c),
      }),
    );
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
