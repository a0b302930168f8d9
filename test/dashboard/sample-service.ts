import { createClient } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import { createApiKeys } from '../../src/app/api-keys.ts';
import { type CreateDurablyAppOptions, createDurablyApp } from '../../src/app/create-app.ts';
import { addressOf, createHttpServer, listen } from '../../src/entry/node/server.ts';
import { createDurably } from '../../src/index.ts';
import { sampleJobs } from './sample-jobs.ts';

export interface SampleOptions {
  /** The path of the database file. */
  readonly file: string;
  readonly port?: number;
  readonly key?: string;
  readonly app?: Omit<CreateDurablyAppOptions, 'apiKeys'>;
}

/** The service with the sample jobs, in this process. Its worker is not started. */
export async function startSample({ file, port = 0, key, app: options = {} }: SampleOptions) {
  const dialect = new LibsqlDialect({ client: createClient({ url: `file:${file}` }) });
  const durably = createDurably({ dialect, jobs: sampleJobs, pollingInterval: 200, maxConcurrentRuns: 20 });
  await durably.migrate();
  const closing = new AbortController();
  const app = createDurablyApp(durably, {
    dashboard: true,
    shutdown: closing.signal,
    allowedHosts: [],
    ...(key === undefined ? {} : { apiKeys: await createApiKeys([{ name: 'test', key }]) }),
    ...options,
  });
  const address = { PORT: port, HOST: '127.0.0.1' };
  const server = createHttpServer(app.fetch, {
    hostname: address.HOST,
    keepAliveMs: 5000,
    draining: closing.signal,
  });
  await listen(server, address);
  const stop = async () => {
    closing.abort();
    server.close();
    server.closeAllConnections();
    await durably.stop({ timeoutMs: 100 });
    await durably.db.destroy();
  };
  return { durably, url: addressOf(server), stop };
}
