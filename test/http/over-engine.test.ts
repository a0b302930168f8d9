import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../../src/app/database.ts';
import { createDurably } from '../../src/create-durably.ts';
import { deferred } from '../support/until.ts';
import { doors, readProblem, requestTo } from './doors.ts';
import { createSuiteJobs } from './jobs.ts';
import { overEngine } from './over-engine.ts';
import { temporaryFolder } from './temporary.ts';

async function startDurably() {
  const gate = deferred();
  const database = await openDatabase({ url: `file:${join(await temporaryFolder(), 'durably.db')}` });
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
    database.close();
  });
  return { durably, openGate: () => gate.resolve() };
}

for (const { door, open } of doors) {
  overEngine(door, async () => {
    const { durably, openGate } = await startDurably();
    return { send: open(durably), openGate };
  });
}

describe.each(doors)('through $door', ({ open }) => {
  it('nothing answers before the database is migrated, but 503', async () => {
    const database = await openDatabase({ url: `file:${join(await temporaryFolder(), 'd.db')}` });
    const durably = createDurably({ dialect: database.dialect });
    onTestFinished(async () => {
      await durably.db.destroy();
      database.close();
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
