import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createClient } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import { createDurably } from '../../src/create-durably.ts';
import { createFetchUrl } from '../../src/jobs/fetch-url.ts';
import { createJobs } from '../../src/jobs/index.ts';

/** A temporary folder with a data folder, and the shipped jobs on the real engine. */
export class JobService {
  readonly root = mkdtempSync(join(tmpdir(), 'durably-jobs-'));
  readonly dataDir = join(this.root, 'data');
  readonly #stops: (() => Promise<void>)[] = [];

  constructor() {
    mkdirSync(this.dataDir);
  }

  /** Another started worker on the same database. */
  async start() {
    const client = createClient({ url: pathToFileURL(join(this.root, 'durably.db')).href });
    const { importCsv } = createJobs({ dataDir: this.dataDir });
    const fetchUrl = createFetchUrl({ backoff: { firstMs: 1, longestMs: 2 } });
    const durably = createDurably({
      dialect: new LibsqlDialect({ client }),
      jobs: { importCsv, fetchUrl },
      pollingInterval: 20,
    });
    this.#stops.push(async () => {
      await durably.stop({ timeoutMs: 0 });
      client.close();
    });
    await durably.init();
    return durably;
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) await stop();
    rmSync(this.root, { recursive: true });
  }
}

export type JobInstance = Awaited<ReturnType<JobService['start']>>;
