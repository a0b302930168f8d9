import type { Hono } from 'hono';
import * as z from 'zod';
import type { DurablyService, Health } from '../core/durably.ts';
import { RETRY_AFTER_SECONDS } from '../http/problem.ts';
import type { ReportOf } from '../http/report.ts';
import { wrongMethod } from '../http/routing.ts';

export const livenessSchema = z.object({ status: z.literal('ok') }).meta({ id: 'Liveness' });

export const readinessSchema = z
  .object({
    status: z.enum(['ready', 'not ready']),
    database: z.boolean().meta({ description: 'The database answers and is migrated' }),
    worker: z.boolean().meta({ description: 'The worker is started and has not given up' }),
    draining: z.boolean().meta({ description: 'The service is shutting down' }),
    reason: z.enum(['database does not answer', 'database takes no writes']).optional().meta({
      description: 'Why `database` is false, of a server: one that takes no writes may need a restart',
    }),
  })
  .meta({ id: 'Readiness' });

export interface ReadinessOptions {
  readonly durably: DurablyService;
  readonly reportOf: ReportOf;
  readonly draining: AbortSignal | undefined;
}

/** `/healthz`: the process can answer requests. */
export function mountHealth(app: Hono): void {
  app.get('/healthz', (c) => c.json({ status: 'ok' } satisfies z.infer<typeof livenessSchema>));
  app.all('/healthz', (c) => {
    throw wrongMethod(c.req.method, ['GET']);
  });
}

/** Metrics as text, and the type of that text. */
export interface ShownMetrics {
  readonly contentType: string;
  text(): Promise<string>;
}

/** `/metrics`: numbers for a monitor. */
export function mountMetrics(app: Hono, metrics: ShownMetrics): void {
  app.get('/metrics', async (c) =>
    c.body(await metrics.text(), 200, { 'content-type': metrics.contentType, 'cache-control': 'no-store' }),
  );
  app.all('/metrics', (c) => {
    throw wrongMethod(c.req.method, ['GET']);
  });
}

/** `/readyz`: the service can accept and execute runs. */
export function mountReadiness(app: Hono, { durably, reportOf, draining }: ReadinessOptions): void {
  app.get('/readyz', async (c) => {
    const health = await durably.health().catch((error: unknown): Health => {
      reportOf(c.get('requestId'))(error);
      return { database: false, worker: false };
    });
    const isDraining = draining?.aborted ?? false;
    const isReady = health.database && health.worker && !isDraining;
    const readiness: z.infer<typeof readinessSchema> = {
      status: isReady ? 'ready' : 'not ready',
      database: health.database,
      worker: health.worker,
      draining: isDraining,
      ...(health.reason && { reason: health.reason }),
    };
    if (isReady) return c.json(readiness);
    return c.json(readiness, 503, { 'retry-after': String(RETRY_AFTER_SECONDS) });
  });
}
