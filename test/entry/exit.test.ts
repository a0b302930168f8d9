import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../app/temporary.ts';
import { builtPackages } from '../support/built/examples.ts';

const ROOT = join(import.meta.dirname, '../..');

/** A user's program on a file in the given folder. It prints the results of its waits. */
const program = (folder: string, end: string) => `
import { packages } from ${JSON.stringify(pathToFileURL(builtPackages()).href)};
const { createClient } = packages['@libsql/client'];
const { LibsqlDialect } = packages['@libsql/kysely-libsql'];
const { z } = packages.zod;
const { createDurably, defineJob } = packages.durably;

const client = createClient({ url: ${JSON.stringify(`file:${folder}/test.db`)} });
const never = defineJob({ name: 'never', input: z.unknown(), run: () => new Promise(() => {}) });
const durably = createDurably({ dialect: new LibsqlDialect({ client }), jobs: { never } });
await durably.init();
const tell = (what) => (error) => console.log(what, error.code, error.message);
const started = new Promise((resolve) => durably.on('run:start', resolve));
durably.jobs.never.triggerAndWait(1).catch(tell('running'));
const { runId } = await started;
durably.jobs.never.triggerAndWait(2).catch(tell('pending'));
const feed = await durably.openRunFeed(runId);
const reader = durably.subscribe(runId).getReader();
(async () => { while (!(await reader.read()).done); })().catch(tell('stream'));
await new Promise((resolve) => setImmediate(resolve));
${end}
console.log('ended');
`;

test.for([
  { how: 'stop() and destroy()', end: 'await durably.stop({ timeoutMs: 1 }); await durably.db.destroy();' },
  { how: 'destroy() alone', end: 'await durably.db.destroy();' },
  { how: 'its client closed', end: 'client.close();' },
])('a program exits by itself after $how', async ({ end }) => {
  const folder = await temporaryFolder();
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program(folder, end)], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const [code, signal] = await once(child, 'close');
  expect({ code, signal }, output).toEqual({ code: 0, signal: null });
  for (const what of ['running', 'pending', 'stream']) {
    expect(output).toContain(`${what} DATABASE_UNAVAILABLE The database connection was closed`);
  }
  expect(output).toContain('ended');
});
