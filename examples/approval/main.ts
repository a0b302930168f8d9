import { serve } from '@hono/node-server';
import { createDurably } from 'durably';
import { createDurablyApp } from 'durably/hono';
import { openDatabase } from 'durably/sqlite';
import { createJobs } from './jobs.ts';
import { openLedger } from './ledger.ts';

const folder = process.env.DATA ?? 'data';
const database = await openDatabase({ url: `file:${folder}/durably.db` });
const ledger = await openLedger(`file:${folder}/ledger.db`);

const durably = createDurably({
  dialect: database.dialect,
  jobs: createJobs({ ledger, mail: (text) => console.log(`mail to the approver: ${text}`) }),
});
await durably.init();

const port = Number(process.env.PORT ?? 3000);
const server = serve({ fetch: createDurablyApp(durably).fetch, port, hostname: '127.0.0.1' }, (address) => {
  console.log(`listening on http://127.0.0.1:${address.port}`);
});

async function stop(): Promise<void> {
  server.close();
  await durably.stop({ timeoutMs: 5_000 });
  ledger.close();
  await database.close();
  process.exit(0);
}
process.once('SIGINT', stop);
process.once('SIGTERM', stop);
