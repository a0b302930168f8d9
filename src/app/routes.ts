import { zValidator } from '@hono/zod-validator';
import type { Context, Env, Handler, Hono } from 'hono';
import { readJson } from '../http/body.ts';
import type { Operation, OperationInput } from '../http/operation.ts';
import { operations } from '../http/operations/index.ts';
import type { Pipeline } from '../http/pipeline.ts';
import { toValidationError } from '../http/problem.ts';
import { routes, wrongMethod } from '../http/routing.ts';
import { answerMaker } from './standard-headers.ts';

export interface OperationRoutes {
  readonly basePath: string;
  readonly pipeline: Pipeline;
  readonly maxBodyBytes: number;
}

/** A route for each operation, and 405 for the other methods of its path. */
export function mountOperations(app: Hono, { basePath, pipeline, maxBodyBytes }: OperationRoutes): void {
  for (const operation of operations) {
    const read = operation.input.from === 'body' ? bodyReader(operation, maxBodyBytes) : undefined;
    const answer: Handler = (c) => {
      const readBody = read && (() => read(c));
      return pipeline({
        request: c.req.raw,
        select: () => operation,
        readBody,
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
  const validate = zValidator(
    'json',
    input.schema,
    (result) => {
      if (!result.success) throw toValidationError(result.error);
    },
    { validationFunction: (schema, value) => schema.safeParse(value) },
  );

  return async (c: Context<Env, string, { out: { json: OperationInput } }>) => {
    const { value } = await readJson(c.req.raw, maxBodyBytes);
    // The validator takes the body from here, and only if it is declared to be JSON.
    Object.assign(c.req, { json: async () => value });
    if (!/^application\/json\b/i.test(c.req.header('content-type') ?? '')) {
      c.req.raw = declaredJson(c.req.raw);
    }
    await validate(c, async () => {});
    return c.req.valid('json');
  };
}

/** The same request, its body already read, with the Content-Type that its sender left out. */
function declaredJson({ url, method, headers, signal }: Request): Request {
  const declared = new Headers(headers);
  declared.set('content-type', 'application/json');
  return new Request(url, { method, headers: declared, signal });
}
