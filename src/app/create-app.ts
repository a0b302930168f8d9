import { Hono, type MiddlewareHandler } from 'hono';
import type { DurablyService } from '../core/durably.ts';
import { ValidationError } from '../core/errors.ts';
import { createDurablyHandler } from '../http/create-handler.ts';
import {
  type CreateDurablyHandlerOptions,
  createReport,
  DEFAULT_MAX_BODY_BYTES,
  isResponse,
} from '../http/pipeline.ts';
import { problemResponse } from '../http/problem.ts';
import { isPlainPath, normalizeBasePath, unknownPath, wrongMethod } from '../http/routing.ts';
import { hostGuard } from './host-guard.ts';
import { buildOpenApi } from './openapi.ts';
import { mountProbes } from './probes.ts';
import { mountOperations } from './routes.ts';

export const DEFAULT_BASE_PATH = '/api/durably';

export interface CreateDurablyAppOptions extends CreateDurablyHandlerOptions {
  /** Where the operations are. `/api/durably` unless given; health and openapi.json stay at the root. */
  basePath?: string | undefined;
  /** Makes `/readyz` answer 503 once aborted. */
  draining?: AbortSignal | undefined;
  /**
   * Serve only requests to these host names (and loopback ones), and none from
   * a foreign `Origin`. Any host and origin unless given.
   */
  allowedHosts?: readonly string[] | undefined;
}

/**
 * The service as a Hono app: every operation below the base path, `/healthz`,
 * `/readyz` and `/openapi.json`. Serve it, or mount it in an app of yours.
 *
 * @throws {ValidationError} for a bad option.
 * @example serve({ fetch: createDurablyApp(durably).fetch, port: 3000 })
 */
export function createDurablyApp(durably: DurablyService, options: CreateDurablyAppOptions = {}): Hono {
  const { maxBodyBytes = DEFAULT_MAX_BODY_BYTES, draining, allowedHosts } = options;
  const basePath = checkBasePath(options.basePath ?? DEFAULT_BASE_PATH);
  const report = createReport(options.onError);
  const app = new Hono();
  // Asked here already, for the routes below read the body before a handler has the request.
  const { onRequest, ...handlerOptions } = options;

  if (allowedHosts !== undefined) app.use(hostGuard(allowedHosts));
  if (onRequest !== undefined) app.use(`${basePath}/*`, beforeAnything(onRequest));
  mountOperations(app, { basePath, handler: createDurablyHandler(durably, handlerOptions), maxBodyBytes });
  mountProbes(app, { durably, report, draining });

  app.get('/openapi.json', (c) => c.json(buildOpenApi({ basePath })));
  for (const path of ['/healthz', '/readyz', '/openapi.json']) {
    app.all(path, (c) => {
      throw wrongMethod(c.req.method, ['GET']);
    });
  }
  app.notFound((c) => problemResponse(unknownPath(c.req.path), report));
  app.onError((error) => problemResponse(error, report));
  return app;
}

/** A Response it throws is the answer; an error becomes a problem. */
function beforeAnything(onRequest: NonNullable<CreateDurablyAppOptions['onRequest']>): MiddlewareHandler {
  return async (c, next) => {
    try {
      await onRequest(c.req.raw);
    } catch (thrown) {
      if (isResponse(thrown)) return thrown;
      throw thrown;
    }
    return await next();
  };
}

function checkBasePath(basePath: string): string {
  const normal = normalizeBasePath(basePath);
  if (isPlainPath(normal)) return normal;
  throw new ValidationError(`basePath must be a path such as ${DEFAULT_BASE_PATH}, got ${basePath}`);
}
