import { copyFileSync, statSync } from 'node:fs';
import { sql } from 'kysely';
import Database from 'libsql';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDurably } from '../../../../src/index.ts';
import { openDatabase } from '../../../../src/sqlite.ts';
import { echo, job } from '../../../support/jobs.ts';
import { untilStatus } from '../../../support/runs.ts';
import { temporaryFile } from '../../../support/temporary-file.ts';

async function inUse(path: string) {
  const database = await openDatabase({ url: `file:${path}` });
  onTestFinished(() => database.close());
  const durably = createDurably({ dialect: database.dialect, jobs: { echo }, pollingInterval: 20 });
  onTestFinished(() => durably.stop({ timeoutMs: 0 }));
  await durably.init();
  return { database, durably };
}

/** The contents of a copy of the file alone. */
function countIn(path: string): unknown {
  const copy = `${path}.copy`;
  copyFileSync(path, copy);
  const reader = new Database(copy);
  try {
    return reader.prepare('select id from durably_runs').all().length;
  } finally {
    reader.close();
  }
}

describe('a database file after it was closed', () => {
  test('is complete without its log', async () => {
    const path = temporaryFile();
    const { database, durably } = await inUse(path);
    await durably.jobs.echo.batchTrigger(Array.from({ length: 200 }, (_, i) => i));
    await durably.stop();
    await database.close();
    expect(countIn(path)).toBe(200);
    expect(statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0).toBe(0);
  });

  test('is complete without its log if Kysely closed it', async () => {
    const path = temporaryFile();
    const { durably } = await inUse(path);
    await durably.jobs.echo.trigger(1);
    await durably.stop();
    await durably.db.destroy();
    expect(countIn(path)).toBe(1);
  });

  test('does not wait for other readers or writers when it is closed', async () => {
    const path = temporaryFile();
    const { database, durably } = await inUse(path);
    await durably.jobs.echo.trigger(1);
    await durably.stop();
    const other = new Database(path);
    onTestFinished(() => void other.close());
    other.exec('begin immediate; update durably_runs set payload = 2');
    await database.close();
    other.exec('commit');
    expect(other.prepare('select payload from durably_runs').all()).toEqual([{ payload: '2' }]);
  });
});

test('a backup by VACUUM INTO is complete while the instance runs', async () => {
  const path = temporaryFile();
  const { durably } = await inUse(path);
  const work = job('work', async (step) => {
    for (let i = 0; i < 5; i++) await step.run(`step ${i}`, () => 'x'.repeat(1_000));
  });
  const { work: handle } = durably.register({ work });
  const before = await Promise.all(Array.from({ length: 20 }, () => handle.trigger(0)));
  const backup = `${path}.backup`;
  const other = new Database(path);
  onTestFinished(() => void other.close());
  const during = Promise.all(Array.from({ length: 20 }, () => handle.trigger(0)));
  other.prepare('vacuum into ?').run(backup);
  for (const { id } of [...before, ...(await during)]) await untilStatus(durably, id, 'completed');

  const restored = await openDatabase({ url: `file:${backup}` });
  onTestFinished(() => restored.close());
  const copy = createDurably({
    dialect: restored.dialect,
    jobs: { work },
    pollingInterval: 20,
    staleThreshold: 50,
    heartbeatInterval: 20,
  });
  onTestFinished(() => copy.stop({ timeoutMs: 0 }));
  const { rows } = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(copy.db);
  expect(rows).toEqual([{ integrity_check: 'ok' }]);
  await copy.init();
  for (const { id } of before) await untilStatus(copy, id, 'completed');
});
