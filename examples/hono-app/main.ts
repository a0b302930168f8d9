import { once } from 'node:events';
import { serve } from '@hono/node-server';
import { createApp } from './app.ts';
import { database, durably } from './durably.ts';

await durably.init();

const shutdown = new AbortController();
const adminKey = process.env.ADMIN_KEY ?? 'admin-key-for-development';
const app = await createApp({ shutdown: shutdown.signal, adminKey });
const port = Number(process.env.PORT ?? 3000);
const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }, (address) => {
  console.log(`listening on http://127.0.0.1:${address.port}`);
});

process.once('SIGTERM', async () => {
  const closed = once(server, 'close');
  server.close();
  shutdown.abort();
  // Runs that go on longer are handed back: the next process continues them at once.
  await durably.stop({ timeoutMs: 8_000, final: true });
  await closed;
  await database.close();
  console.log('stopped');
});
