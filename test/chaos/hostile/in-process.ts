import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Dialect } from 'kysely';
import { createDurablyApp } from '../../../src/app/create-app.ts';
import { openServiceDatabase } from '../../../src/app/database.ts';
import { createDurably } from '../../../src/create-durably.ts';
import type { JobDefinition } from '../../../src/engine/jobs/define-job.ts';
import { interceptStatements } from '../../support/dialects/intercepted-dialect.ts';

// biome-ignore lint/suspicious/noExplicitAny: any job, whatever its types.
type Jobs = Record<string, JobDefinition<string, any, any, any>>;

/** The service's app on its own database, without a socket. */
export async function startInProcess(jobs: Jobs) {
  const folder = mkdtempSync(join(tmpdir(), 'durably-chaos-'));
  const database = await openServiceDatabase({ url: pathToFileURL(join(folder, 'durably.db')).href });
  const reported: unknown[] = [];
  const rows = { most: 0 };
  const durably = createDurably({
    dialect: countRows(database.dialect, rows),
    jobs,
    pollingInterval: 50,
    maxConcurrentRuns: 20,
  });
  durably.on('worker:error', (event) => void reported.push(event));
  await durably.init();
  const app = createDurablyApp(durably, { onError: (error) => void reported.push(error) });
  return {
    durably,
    ask: async (request: Request) => await app.fetch(request),
    /** The errors that the service reported. */
    reported,
    /** The largest answer that the database was asked for. */
    rows,
    async dispose() {
      await durably.stop({ timeoutMs: 0 });
      await database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export type InProcess = Awaited<ReturnType<typeof startInProcess>>;

/** The dialect with a recording driver. */
function countRows(dialect: Dialect, rows: { most: number }): Dialect {
  return interceptStatements(dialect, async (_query, execute) => {
    const result = await execute();
    rows.most = Math.max(rows.most, result.rows.length);
    return result;
  });
}
