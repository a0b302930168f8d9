import { serve } from '@hono/node-server';
import { createDurably } from 'durably';
import { createDurablyApp } from 'durably/hono';
import { openDatabase } from 'durably/sqlite';
import { agent } from './job.ts';

const database = await openDatabase({ url: `file:${process.env.DATA ?? 'data'}/durably.db` });
const durably = createDurably({ dialect: database.dialect, jobs: { agent }, maxConcurrentRuns: 20 });
await durably.init();

const port = Number(process.env.PORT ?? 3000);
const server = serve({ fetch: createDurablyApp(durably).fetch, port, hostname: '127.0.0.1' }, (address) => {
  console.log(`listening on http://127.0.0.1:${address.port}`);
});

process.once('SIGTERM', async () => {
  server.close();
  await durably.stop({ timeoutMs: 5_000 });
  await database.close();
  process.exit(0);
});
