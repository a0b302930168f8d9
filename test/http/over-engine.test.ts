import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openServiceDatabase } from '../../src/app/database.ts';
import type { RunFilter } from '../../src/core/lists/run-query.ts';
import { createDurably } from '../../src/create-durably.ts';
import { temporaryFolder } from '../app/temporary.ts';
import { copyMigratedFile } from '../storage/sqlite/support/migrated-file.ts';
import { startRemote } from '../support/remote.ts';
import { deferred } from '../support/until.ts';
import { doors, postJson, readProblem, requestTo } from './doors.ts';
import { createSuiteJobs } from './jobs.ts';
import { framesOf, typesOf } from './over-engine/frames.ts';
import { overEngine } from './over-engine/suite.ts';

/** Each test has its own database. */
async function fileUrl(): Promise<string> {
  const path = join(await temporaryFolder(), 'durably.db');
  await copyMigratedFile(path);
  return pathToFileURL(path).href;
}

const serverUrl = async () => (await startRemote()).url;

async function startDurably(databaseUrl: () => Promise<string>) {
  const gate = deferred();
  const database = await openServiceDatabase({ url: await databaseUrl() });
  const durably = createDurably({
    dialect: database.dialect,
    pollingInterval: 50,
    maxConcurrentRuns: 4,
    jobs: createSuiteJobs(() => gate.promise),
  });
  await durably.init();
  onTestFinished(async () => {
    gate.resolve();
    await durably.stop({ timeoutMs: 1000 });
    await durably.db.destroy();
    await database.close();
  });
  return { durably, openGate: () => gate.resolve() };
}

// The doors know nothing of the database, so one of them shows what is different on a server.
const services = [
  ...doors.map(({ door, open }) => ({ name: `${door} on a file`, open, databaseUrl: fileUrl })),
  ...doors
    .slice(0, 1)
    .map(({ door, open }) => ({ name: `${door} on a libSQL server`, open, databaseUrl: serverUrl })),
];

for (const { name, open, databaseUrl } of services) {
  overEngine(name, async () => {
    const { durably, openGate } = await startDurably(databaseUrl);
    return { send: open(durably), openGate };
  });
}

describe.each(doors)('through $door', ({ open }) => {
  it('streams only the runs that scopeRuns allows', async () => {
    const { durably } = await startDurably(fileUrl);
    const send = open(durably);
    const trigger = async (jobName: string): Promise<string> =>
      (await (await send(postJson('/trigger', { jobName }))).json()).runId;
    const shutdown = new AbortController();
    const streamOf = (scope: RunFilter) => {
      const auth = { authenticate: () => null, scopeRuns: () => scope };
      return open(durably, { auth, shutdown: shutdown.signal })(requestTo('/runs/subscribe?jobName=fail'));
    };
    const all = await send(requestTo('/runs/subscribe'));
    const [lies, none] = await Promise.all([streamOf({ jobName: 'lie' }), streamOf({ jobName: [] })]);
    const told = Promise.all([framesOf(lies), framesOf(none)]);
    await trigger('fail');
    const lie = await trigger('lie');
    const ends = { fail: false, lie: false };
    await framesOf(all, ({ data }) => {
      if (data?.type === 'run:fail') ends[data.jobName as keyof typeof ends] = true;
      return ends.fail && ends.lie;
    });
    shutdown.abort();
    const [ofLies, ofNone] = await told;
    expect(new Set(ofLies.flatMap(({ data }) => data?.runId ?? []))).toEqual(new Set([lie]));
    expect(typesOf(ofNone)).toEqual([]);
  });

  it('answers only 503 before the database is migrated', async () => {
    const database = await openServiceDatabase({
      url: pathToFileURL(join(await temporaryFolder(), 'd.db')).href,
    });
    const durably = createDurably({ dialect: database.dialect });
    onTestFinished(async () => {
      await durably.db.destroy();
      await database.close();
    });
    const unmigrated = open(durably, { onError: () => {} });
    for (const path of [
      '/runs',
      '/run?runId=x',
      '/steps?runId=x',
      '/logs?runId=x',
      '/subscribe?runId=x',
      '/runs/subscribe',
    ]) {
      const { status, body } = await readProblem(await unmigrated(requestTo(path)));
      expect([path, status, body.code]).toEqual([path, 503, 'DATABASE_UNAVAILABLE']);
      expect(JSON.stringify(body)).not.toMatch(/sqlite|table/i);
    }
    const lazy = open(durably, { onRequest: () => durably.init() });
    expect((await lazy(requestTo('/runs'))).status).toBe(200);
    await durably.stop();
  });
});
