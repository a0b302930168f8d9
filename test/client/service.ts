import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';
import { type CreateDurablyAppOptions, createDurablyApp } from '../../src/app/create-app.ts';
import { openServiceDatabase } from '../../src/app/database.ts';
import { createDurablyClient } from '../../src/client/create-client.ts';
import { createDurably } from '../../src/create-durably.ts';
import { temporaryFolder } from '../app/temporary.ts';
import { createSuiteJobs } from '../http/jobs.ts';
import { deferred } from '../support/until.ts';

const BASE = 'http://localhost:3000/api/durably';

export type SuiteJobs = ReturnType<typeof createSuiteJobs>;

/** The service's app in this process, on a database of its own, and a client of it. */
export async function startInProcess(options: CreateDurablyAppOptions = {}) {
  const gate = deferred();
  const database = await openServiceDatabase({
    url: pathToFileURL(join(await temporaryFolder(), 'durably.db')).href,
  });
  const jobs = createSuiteJobs(() => gate.promise);
  const durably = createDurably({
    dialect: database.dialect,
    pollingInterval: 50,
    maxConcurrentRuns: 4,
    jobs,
  });
  await durably.init();
  onTestFinished(async () => {
    gate.resolve();
    await durably.stop({ timeoutMs: 1_000 });
    await durably.db.destroy();
    await database.close();
  });
  const app = createDurablyApp(durably, options);
  const requests: Request[] = [];
  const fetchFromApp = async (url: string, init: RequestInit) => {
    const request = new Request(url, init);
    requests.push(request.clone());
    return await app.fetch(request);
  };
  const clientWith = (apiKey?: string) =>
    createDurablyClient<SuiteJobs>({ url: `${BASE}/`, apiKey, fetch: fetchFromApp });
  return {
    durably,
    client: clientWith(),
    clientWith,
    fetchFromApp,
    requests,
    openGate: () => gate.resolve(),
  };
}

/** All values of an iterator. */
export async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const value of values) collected.push(value);
  return collected;
}
