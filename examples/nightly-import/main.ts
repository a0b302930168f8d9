import { serve } from '@hono/node-server';
import { createDurably } from 'durably';
import { createDurablyApp } from 'durably/hono';
import { openDatabase } from 'durably/sqlite';
import { createNightlyImport } from './job.ts';
import { openProducts } from './products.ts';

const folder = process.env.DATA ?? 'data';
const database = await openDatabase({ url: `file:${folder}/durably.db` });
const products = await openProducts(`file:${folder}/products.db`);

const durably = createDurably({
  dialect: database.dialect,
  jobs: { nightlyImport: createNightlyImport({ products }) },
  // A process that was killed is missed after 3 s instead of 30: this one has a machine to itself.
  heartbeatInterval: 500,
  staleThreshold: 3_000,
});
await durably.init();

const port = Number(process.env.PORT ?? 3000);
const server = serve({ fetch: createDurablyApp(durably).fetch, port, hostname: '127.0.0.1' }, (address) => {
  console.log(`listening on http://127.0.0.1:${address.port}`);
});

process.once('SIGTERM', async () => {
  server.close();
  await durably.stop({ timeoutMs: 5_000 });
  products.close();
  await database.close();
  process.exit(0);
});
