import { Hono } from 'hono';
import * as z from 'zod';
import type { DurablyService } from '../core/durably.ts';
import { ValidationError } from '../core/errors/errors.ts';
import { checkOptions, type OptionSchemas, objectWith } from '../core/validation/option-types.ts';
import { shownValue } from '../core/validation/shown-value.ts';
import {
  type CreateDurablyHandlerOptions,
  createPipeline,
  DEFAULT_MAX_BODY_BYTES,
  HANDLER_OPTIONS,
} from '../http/pipeline.ts';
import { problemResponse } from '../http/problem.ts';
import { createReport } from '../http/report.ts';
import { isPlainPath, normalizeBasePath, takenPath, unknownPath, wrongMethod } from '../http/routing.ts';
import type { ApiKeys } from './api-keys.ts';
import { mountDashboard } from './dashboard/mount.ts';
import { mountGate } from './gate.ts';
import { hostGuard, isHostName } from './host-guard.ts';
import { buildOpenApi } from './openapi/openapi.ts';
import { allowOrigins, isOrigin, ORIGINS_RULE } from './origins.ts';
import { mountHealth, mountMetrics, mountReadiness, type ShownMetrics } from './probes.ts';
import { isRateLimit, RATE_LIMIT_RULE, RateLimit } from './rate-limit.ts';
import { mountOperations } from './routes.ts';
import { standardHeaders } from './standard-headers.ts';

export const DEFAULT_BASE_PATH = '/api/durably';

/** What `DURABLY_DASHBOARD` means for the app. */
export const DASHBOARD_MODES = { on: true, off: false, 'read-only': { readOnly: true } } as const;

/** What the app adds to the handlers: its path, keys, CORS, hosts and a rate limit. */
export interface CreateDurablyAppOptions<TContext = unknown> extends CreateDurablyHandlerOptions<TContext> {
  /** The base path of the operations, `/api/durably` by default. Probes and openapi.json stay at the root. */
  basePath?: string | undefined;
  /** When aborted, `/readyz` and `/tick` answer 503. */
  draining?: AbortSignal | undefined;
  /**
   * Requires one of these keys as `Authorization: Bearer` for every path except `/healthz`, and adds
   * `/stream-ticket` below the base path. The key is checked first, before `onRequest`.
   */
  apiKeys?: ApiKeys | undefined;
  /** Requests per minute that each key may make to this instance. Without keys, all callers share the limit. */
  rateLimit?: number | RateLimit | undefined;
  /** Origins whose pages may read answers (CORS), such as `https://example.com`. */
  corsOrigins?: readonly string[] | undefined;
  /**
   * Accept only requests to these host names and to loopback, or to any host. Also refuses a foreign `Origin`
   * that is not in `corsOrigins`. By default every host and origin is accepted.
   */
  allowedHosts?: readonly string[] | 'any' | undefined;
  /**
   * Serves the dashboard at the app's root, without a key: the page asks for one. With `readOnly`, the page has no buttons that
   * change something; what a caller may do, keys and `auth` decide. Not served by default.
   */
  dashboard?: boolean | { readonly readOnly?: boolean | undefined } | undefined;
  /** Serves them at `/metrics`, behind a key if there are keys: what `createMetrics` of `durably/metrics` makes. */
  metrics?: ShownMetrics | undefined;
}

const APP_OPTIONS: OptionSchemas<CreateDurablyAppOptions> = {
  ...HANDLER_OPTIONS,
  basePath: z.string(`must be a path such as ${DEFAULT_BASE_PATH}`),
  apiKeys: objectWith(
    ['authenticate', 'ticketSecretOf'],
    'must be what createApiKeys makes: apiKeys: await createApiKeys([{ name, key }])',
  ),
  rateLimit: z.custom(
    (limit) => limit instanceof RateLimit || isRateLimit(limit),
    `must be ${RATE_LIMIT_RULE}`,
  ),
  corsOrigins: z.array(
    z.custom((origin) => typeof origin === 'string' && isOrigin(origin), ORIGINS_RULE),
    ORIGINS_RULE,
  ),
  allowedHosts: z.union(
    [z.literal('any'), z.array(z.custom((host) => typeof host === 'string' && isHostName(host)))],
    "must be 'any' or a list of host names without scheme and port, such as ['example.com']",
  ),
  dashboard: z.union(
    [z.boolean(), z.strictObject({ readOnly: z.boolean().optional() })],
    'must be true, false or { readOnly: true }',
  ),
  metrics: objectWith(['text'], 'must be what createMetrics makes'),
};

/**
 * Creates the service as a Hono app: every operation below the base path, `/healthz`, `/readyz` and
 * `/openapi.json`. Serve it, or mount it in your own app.
 *
 * @throws {ValidationError} for a bad option.
 * @example
 * await durably.init()
 * serve({ fetch: createDurablyApp(durably).fetch, port: 3000, hostname: '127.0.0.1' })
 */
export function createDurablyApp<TContext = unknown>(
  durably: DurablyService,
  options: CreateDurablyAppOptions<TContext> = {},
): Hono {
  checkOptions('createDurablyApp option', options, APP_OPTIONS);
  const { maxBodyBytes = DEFAULT_MAX_BODY_BYTES, draining, allowedHosts, corsOrigins = [] } = options;
  const { dashboard = false } = options;
  const basePath = checkBasePath(options.basePath ?? DEFAULT_BASE_PATH, dashboard !== false);
  const reportOf = createReport(options.onError, options.logger);
  const pipeline = createPipeline(durably, options, reportOf);
  const app = new Hono();

  app.use(standardHeaders());
  if (corsOrigins.length > 0) app.use(allowOrigins(corsOrigins));
  if (allowedHosts !== undefined) app.use(hostGuard({ hosts: allowedHosts, origins: corsOrigins }));
  mountHealth(app);
  if (dashboard !== false) {
    const isReadOnly = dashboard !== true && dashboard.readOnly === true;
    mountDashboard(app, { basePath, mode: isReadOnly ? 'read-only' : 'full' });
  }
  mountGate(app, { durably, basePath, apiKeys: options.apiKeys, rateLimit: options.rateLimit, maxBodyBytes });
  mountReadiness(app, { durably, reportOf, draining });
  if (options.metrics !== undefined) mountMetrics(app, options.metrics);
  const described = {
    basePath,
    hasKeys: options.apiKeys !== undefined,
    hasAuth: options.auth !== undefined,
    hasRateLimit: options.rateLimit !== undefined,
    hasMetrics: options.metrics !== undefined,
  };
  app.get('/openapi.json', (c) => c.json(buildOpenApi(described)));
  for (const path of ['/readyz', '/openapi.json']) {
    app.all(path, (c) => {
      throw wrongMethod(c.req.method, ['GET']);
    });
  }
  mountOperations(app, { basePath, pipeline, hasTickets: described.hasKeys });

  app.notFound((c) => {
    const unknown = unknownPath(c.req.path);
    if (!c.req.path.startsWith(`${basePath}/`)) return problemResponse(unknown, reportOf(c.get('requestId')));
    return pipeline({
      request: c.req.raw,
      select: () => {
        throw unknown;
      },
      requestId: c.get('requestId'),
    });
  });
  app.onError((error, c) => problemResponse(error, reportOf(c.get('requestId'))));
  return app;
}

function checkBasePath(basePath: string, hasDashboard: boolean): string {
  const normal = normalizeBasePath(basePath);
  const taken = takenPath(normal);
  if (taken !== undefined && (hasDashboard || taken !== '/dashboard'))
    throw new ValidationError(
      `basePath ${shownValue(basePath)} must not be ${taken}, which is a path of the service, or below it`,
    );
  if (isPlainPath(normal)) return normal;
  throw new ValidationError(
    `basePath must be a path such as ${DEFAULT_BASE_PATH}, not ${shownValue(basePath)}`,
  );
}
