import { join } from 'node:path';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { temporaryFolder } from '../app/temporary.ts';
import { overEngine } from '../http/over-engine/suite.ts';
import { copyMigratedFile } from '../storage/sqlite/support/migrated-file.ts';
import { Sqld } from '../support/sqld/server.ts';
import { startToldServer } from './support/told-server.ts';
import { startWranglerDev, type WranglerDev } from './support/wrangler.ts';

let dev: WranglerDev;

beforeAll(async () => {
  dev = await startWranglerDev({ entry: 'test/runtime/worker.ts' });
}, 90_000);

afterAll(() => dev?.stop());

overEngine('workerd', async () => {
  const file = join(await temporaryFolder(), 'test.db');
  await copyMigratedFile(file);
  const sqld = await Sqld.start({ file });
  const gate = await startToldServer({ isOpen: false });
  onTestFinished(async () => {
    gate.open();
    await gate.stop();
    await sqld.stop();
  });
  const settings = {
    TURSO_DATABASE_URL: sqld.url,
    DURABLY_POLLING_INTERVAL_MS: '20',
    DURABLY_SUBREQUESTS: '1000',
  };
  return {
    openGate: () => gate.open(),
    send: async (request) => {
      const { pathname, search } = new URL(request.url);
      const headers = new Headers(request.headers);
      headers.set('x-settings', JSON.stringify(settings));
      headers.set('x-gate', gate.url);
      const body = request.body === null ? null : await request.text();
      return await fetch(`${dev.url}${pathname}${search}`, { method: request.method, headers, body });
    },
  };
});
