// The example of the documentation, as a user would paste it: it is type-checked against the packed package.
import { createClient } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import { createDurably } from 'durably';

const client = createClient({ url: 'file:local.db' });
const dialect = new LibsqlDialect({ client });

const durably = createDurably({
  dialect,
  pollingInterval: 1000,
  heartbeatInterval: 5000,
  staleThreshold: 30000,
});

// Initialize (migrate + start)
await durably.init();

// Define and register jobs
import { defineJob } from 'durably';
import { z } from 'zod';

const myJobDef = defineJob({
  name: 'my-job',
  input: z.object({ id: z.string() }),
  run: async (step, payload) => {
    await step.run('a step', () => payload.id);
  },
});

const { myJob } = durably.register({ myJob: myJobDef });

// Or trigger via durably.jobs
await durably.jobs.myJob.trigger({ id: '123' });

// Clean shutdown
process.on('SIGTERM', async () => {
  await durably.stop();
});

import { createDurablyHandler } from 'durably/server';

const handler = createDurablyHandler(durably, {
  onRequest: async () => {
    await durably.init();
  },
});

// React Router / Remix
export async function loader({ request }: { request: Request }) {
  return handler.handle(request, '/api/durably');
}

import { createDurablyApp } from 'durably/hono';

createDurablyApp(durably).get('/api/custom/run', (context) => handler.run(context.req.raw));

// A wrong input is a compile error.
// @ts-expect-error
await myJob.trigger({ id: 123 });
// @ts-expect-error
await myJob.trigger({});
