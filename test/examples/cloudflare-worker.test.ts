import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ROOT } from '../docs/markdown.ts';
import { startWranglerDev } from '../runtime/support/wrangler.ts';
import { Sqld } from '../support/sqld/server.ts';
import { runReadme, temporaryFolder } from './example.ts';

vi.setConfig({ testTimeout: 120_000 });

test('the example Worker answers as its README shows, and its cron event works the queue', async () => {
  const sqld = await Sqld.start({ file: join(temporaryFolder(), 'test.db'), authToken: 'token' });
  onTestFinished(() => sqld.stop());
  const dev = await startWranglerDev({
    folder: join(ROOT, 'examples/cloudflare-worker'),
    vars: { TURSO_DATABASE_URL: sqld.url, TURSO_AUTH_TOKEN: 'token' },
  });
  onTestFinished(() => dev.stop());
  expect(await runReadme('cloudflare-worker', dev.url)).toBe(2);

  sqld.query("update durably_runs set status = 'pending', completed_at = null, output = null");
  expect((await dev.cron()).status).toBe(200);
  const runs = await (await fetch(`${dev.url}/api/durably/runs`)).json();
  expect(runs).toMatchObject([{ status: 'completed', output: { words: 6 } }]);
});
