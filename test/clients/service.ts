import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { serve } from '@hono/node-server';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { createDurablyApp } from '../../src/app/create-app.ts';
import { openServiceDatabase } from '../../src/app/database.ts';
import { createDurably } from '../../src/create-durably.ts';
import { defineJob } from '../../src/engine/jobs/define-job.ts';
import { temporaryFolder } from '../app/temporary.ts';
import { deferred } from '../support/until.ts';

/** The service on its own port, with jobs that wait for the test. */
export async function startService() {
  const gate = deferred();
  const greet = defineJob({
    name: 'greet',
    input: z.object({ name: z.string().transform((name) => name.length) }),
    output: z.object({ text: z.string() }),
    run: async (step, { name }) => {
      step.progress(1, 2, 'composing');
      const text = await step.run('compose', () => `Hello ${name}`);
      step.log.info('composed', { text });
      return { text };
    },
  });
  const wait = defineJob({
    name: 'wait',
    input: z.object({}),
    run: async (step) => await step.run('gate', () => gate.promise.then(() => 'opened')),
  });
  const fail = defineJob({
    name: 'fail',
    input: z.object({}),
    run: () => Promise.reject(new Error('no luck')),
  });
  const database = await openServiceDatabase({
    url: pathToFileURL(join(await temporaryFolder(), 'durably.db')).href,
  });
  const { dialect } = database;
  const durably = createDurably({
    dialect,
    pollingInterval: 50,
    maxConcurrentRuns: 4,
    jobs: { greet, wait, fail },
  });
  await durably.init();
  const server = serve({ fetch: createDurablyApp(durably).fetch, port: 0, hostname: '127.0.0.1' }) as Server;
  if (!server.listening) await once(server, 'listening');
  onTestFinished(async () => {
    gate.resolve();
    server.closeAllConnections();
    server.close();
    await durably.stop({ timeoutMs: 1_000 });
    await durably.db.destroy();
    await database.close();
  });
  const { port } = server.address() as AddressInfo;
  return { durably, api: `http://127.0.0.1:${port}/api/durably`, openGate: () => gate.resolve() };
}
