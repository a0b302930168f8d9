import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Sqld } from '../../support/sqld/server.ts';
import { startToldServer, type ToldServer } from './told-server.ts';
import { startWranglerDev, type WranglerDev } from './wrangler.ts';

/** A Worker, its database, and the web server that its jobs call. */
export interface ToldWorker {
  readonly dev: WranglerDev;
  readonly sqld: Sqld;
  readonly told: ToldServer;
  stop(): Promise<void>;
}

export interface ToldWorkerOptions {
  /** Replaces the entry in wrangler.toml. */
  readonly entry?: string;
  /** The settings of the Worker, without the address of its database. */
  readonly vars: Readonly<Record<string, string>>;
}

export async function startToldWorker({ entry, vars }: ToldWorkerOptions): Promise<ToldWorker> {
  const folder = mkdtempSync(join(tmpdir(), 'durably-runtime-'));
  const authToken = vars.TURSO_AUTH_TOKEN;
  const sqld = await Sqld.start({ file: join(folder, 'test.db'), ...(authToken && { authToken }) });
  const told = await startToldServer({ isOpen: true });
  const dev = await startWranglerDev({
    ...(entry && { entry }),
    vars: { TURSO_DATABASE_URL: sqld.url, ...vars },
  });
  const stop = async () => {
    await dev.stop();
    await told.stop();
    await sqld.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return { dev, sqld, told, stop };
}
