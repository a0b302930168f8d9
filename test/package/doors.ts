// Runs against the packed package. Every entry point loads, and a run goes from trigger to output.
import assert from 'node:assert/strict';
import { createClient } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import { createDurably, defineJob } from 'durably';
import { createDurablyClient } from 'durably/client';
import { createCodec } from 'durably/crypto';
import { createDurablyApp } from 'durably/hono';
import { tracing } from 'durably/opentelemetry';
import { createDurablyHandler } from 'durably/server';
import { createTestDurably } from 'durably/testing';
import { createWebhooks } from 'durably/webhooks';
import { z } from 'zod';

const greet = defineJob({
  name: 'greet',
  input: z.object({ name: z.string() }),
  output: z.object({ text: z.string() }),
  run: async (step, { name }) => ({ text: await step.run('compose', () => `Hello ${name}`) }),
});

const client = createClient({ url: 'file:doors.db' });
const webhooks = createWebhooks({ ofRuns: { secret: `whsec_${'a'.repeat(32)}` } });
const dialect = new LibsqlDialect({ client });
const durably = createDurably({ dialect, jobs: { greet }, use: [tracing()], webhooks });
await durably.init();

const { id, output } = await durably.jobs.greet.triggerAndWait({ name: 'door' });
assert.deepEqual(output, { text: 'Hello door' });

const steps = await createDurablyHandler(durably).steps(new Request(`http://localhost/steps?runId=${id}`));
assert.equal(steps.status, 200);
const run = await createDurablyApp(durably).request(`http://localhost/api/durably/run?runId=${id}`);
assert.equal(run.status, 200);

const app = createDurablyApp(durably);
const remote = createDurablyClient<{ greet: typeof greet }>({
  url: 'http://localhost/api/durably',
  fetch: async (url, init) => await app.request(url, init),
});
const told = await remote.jobs.greet.triggerAndWait({ name: 'client' });
assert.equal(told.output.text, 'Hello client');

const t = await createTestDurably({
  jobs: { greet },
  use: [createCodec({ keys: { k1: new Uint8Array(32) }, current: 'k1' })],
});
assert.deepEqual((await t.run(greet, { name: 'test' })).output, { text: 'Hello test' });
await t.stop();

await durably.stop();
client.close();
