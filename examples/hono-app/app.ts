import { createApiKeys, createDurablyApp } from 'durably/hono';
import { createDurablyHandler, RequestError } from 'durably/server';
import { Hono } from 'hono';
import { z } from 'zod';
import { durably } from './durably.ts';
import { userOf } from './users.ts';

const reportRequest = z.object({ year: z.int() });

/**
 * @param shutdown ends every event stream: a server can't close while one is open.
 * @param adminKey the key of the admin's routes.
 */
export async function createApp({ shutdown, adminKey }: { shutdown: AbortSignal; adminKey: string }) {
  const app = new Hono();
  app.get('/', (c) => c.text('The home page of your app.'));

  // A route of your own triggers a job. The label says whose run it is.
  app.post('/reports', async (c) => {
    const user = await userOf(c.req.raw);
    const { year } = reportRequest.parse(await c.req.json());
    const { id } = await durably.jobs.report.trigger({ year }, { labels: { user: user.name } });
    return c.json({ id }, 202);
  });

  // Durably's routes, those that users need. A user sees their own runs.
  const handler = createDurablyHandler(durably, {
    shutdown,
    auth: {
      authenticate: userOf,
      onRunAccess: (user, run) => {
        if (run.labels.user !== user.name) throw new RequestError('NOT_FOUND', `Run not found: ${run.id}`);
      },
      scopeRuns: (user, filter) => ({ ...filter, labels: { ...filter.labels, user: user.name } }),
    },
  });
  app.get('/reports', (c) => handler.runs(c.req.raw));
  app.get('/reports/run', (c) => handler.run(c.req.raw));
  app.get('/reports/events', (c) => handler.subscribe(c.req.raw));
  app.post('/reports/cancel', (c) => handler.cancel(c.req.raw));

  // All of durably's routes, for whoever has the admin's key.
  const apiKeys = await createApiKeys([{ name: 'admin', key: adminKey }]);
  app.mount('/admin', createDurablyApp(durably, { apiKeys, shutdown }).fetch);

  app.onError((error, c) => {
    if (error instanceof RequestError && error.code === 'UNAUTHORIZED') return c.text(error.message, 401);
    if (error instanceof z.ZodError) return c.text(z.prettifyError(error), 400);
    console.error(error);
    return c.text('Something went wrong.', 500);
  });
  return app;
}
