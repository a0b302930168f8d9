import { zValidator } from '@hono/zod-validator';
import type { Handler, Hono, MiddlewareHandler } from 'hono';
import { handOnBody, readJson } from '../http/body.ts';
import type { DurablyHandler } from '../http/create-handler.ts';
import type { Operation } from '../http/operation.ts';
import { operations } from '../http/operations/index.ts';
import { toValidationError } from '../http/problem.ts';
import { routes, wrongMethod } from '../http/routing.ts';

export interface OperationRoutes {
  readonly basePath: string;
  readonly handler: DurablyHandler;
  readonly maxBodyBytes: number;
}

/** A route for each operation, and 405 for the other methods of its path. */
export function mountOperations(app: Hono, { basePath, handler, maxBodyBytes }: OperationRoutes): void {
  for (const operation of operations) {
    const handle = handler[operation.name];
    const answer: Handler = (c) => handle(c.req.raw);
    const before = operation.input.from === 'body' ? bodyMiddleware(operation, { handle, maxBodyBytes }) : [];
    app.on(operation.method, [`${basePath}${operation.path}`], ...before, answer);
  }
  for (const [path, byMethod] of routes) {
    app.all(`${basePath}${path}`, (c) => {
      throw wrongMethod(c.req.method, byMethod.keys());
    });
  }
}

/**
 * Reads a body within its limit, then validates it. What comes of it, good or
 * bad, is handed on to the operation's handler, whose pipeline answers in its
 * own order: a request that it refuses earlier is not told about its body.
 */
function bodyMiddleware(
  { input }: Operation,
  { handle, maxBodyBytes }: { handle: (request: Request) => Promise<Response>; maxBodyBytes: number },
): MiddlewareHandler[] {
  const read: MiddlewareHandler = async (c, next) => {
    try {
      const { value } = await readJson(c.req.raw, maxBodyBytes);
      // The validator takes the body from here, and only if it is declared to be JSON.
      Object.assign(c.req, { json: async () => value });
      if (!/^application\/json\b/i.test(c.req.header('content-type') ?? ''))
        c.req.raw = declaredJson(c.req.raw);
    } catch (error) {
      handOnBody(c.req.raw, { ok: false, error });
      return handle(c.req.raw);
    }
    return next();
  };

  const validate = zValidator('json', input.schema, (result, c) => {
    if (result.success) {
      handOnBody(c.req.raw, { ok: true, value: result.data });
      return undefined;
    }
    handOnBody(c.req.raw, { ok: false, error: toValidationError(result.error) });
    return handle(c.req.raw);
  });

  return [read, validate];
}

/** The same request, its body already read, with the Content-Type that its sender left out. */
function declaredJson({ url, method, headers, signal }: Request): Request {
  const declared = new Headers(headers);
  declared.set('content-type', 'application/json');
  return new Request(url, { method, headers: declared, signal });
}
