import {
  copyFileSync,
  existsSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CompiledQuery, Kysely, sql } from 'kysely';
import Database from 'libsql';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createDurably } from '../../../../src/index.ts';
import { openDatabase } from '../../../../src/sqlite.ts';
import { LocalConnection } from '../../../../src/storage/sqlite/file/local-connection.ts';
import { localDialect } from '../../../../src/storage/sqlite/file/local-dialect.ts';
import { echo } from '../../../support/jobs.ts';
import { nextEvent, rejectionOf } from '../../../support/runs.ts';
import { temporaryFile } from '../../../support/temporary-file.ts';

const fs = vi.hoisted(() => ({ refuses: undefined as string | undefined }));
vi.mock('node:fs', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs')>();
  return {
    ...original,
    statSync: (path: string) => {
      if (fs.refuses !== undefined) throw Object.assign(new Error(fs.refuses), { code: fs.refuses });
      return original.statSync(path);
    },
  };
});

/** An open connection whose clock the test controls. */
async function inUse() {
  const path = temporaryFile();
  let ms = 0;
  const connection = new LocalConnection({ path, busyTimeoutMs: 25, monotonicMs: () => ms });
  onTestFinished(() => connection.close());
  connection.useWal();
  const db = new Kysely<Record<string, never>>({ dialect: localDialect(connection) });
  const write = async () => await db.executeQuery(CompiledQuery.raw('insert into t values (1)'));
  await sql`create table t (a)`.execute(db);
  ms += 1_000;
  await write();
  ms += 1_000;
  return { path, db, write, connection, pass: () => (ms += 1_000) };
}

const withCompanions = (path: string) => [path, `${path}-wal`, `${path}-shm`];

describe('the files of an open database', () => {
  test.each<[string, (path: string) => void, RegExp]>([
    [
      'deleted',
      (path) => withCompanions(path).forEach((each) => unlinkSync(each)),
      /test\.db was deleted or moved/,
    ],
    [
      'deleted with their folder',
      (path) => rmSync(dirname(path), { recursive: true }),
      /was deleted or moved/,
    ],
    ['moved', (path) => renameSync(path, `${path}.old`), /test\.db was deleted or moved/],
    [
      'replaced',
      (path) => {
        copyFileSync(path, `${path}.copy`);
        renameSync(`${path}.copy`, path);
      },
      /test\.db was replaced by another file/,
    ],
    ['without their log', (path) => unlinkSync(`${path}-wal`), /test\.db-wal was deleted or moved/],
    ['with an empty one', (path) => truncateSync(path), /test\.db was emptied/],
    ['with an empty log', (path) => truncateSync(`${path}-wal`), /test\.db-wal was emptied/],
    ['without their index', (path) => unlinkSync(`${path}-shm`), /test\.db-shm was deleted or moved/],
  ])('when %s, make every write fail', async (_, harm, message) => {
    const { path, write, pass } = await inUse();
    harm(path);
    pass();
    for (let i = 0; i < 2; i++) {
      const error = await rejectionOf(write());
      expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE', permanent: true });
      expect(error.message).toMatch(message);
      expect(error.message).toMatch(/restart/);
    }
  });

  test('are not recreated when the connection is renewed', async () => {
    const { path, write, connection, pass } = await inUse();
    for (const each of withCompanions(path)) unlinkSync(each);
    connection.reconnect();
    pass();
    await rejectionOf(write());
    connection.close();
    expect(existsSync(path)).toBe(false);
  });

  test.each(['EACCES', 'EMFILE', 'EIO'])('do not count as deleted when the system says %s', async (code) => {
    const { write, pass } = await inUse();
    fs.refuses = code;
    onTestFinished(() => {
      fs.refuses = undefined;
    });
    await write();
    pass();
    await write();
  });

  test('may disappear when the connection leaves WAL mode or is renewed', async () => {
    const { path, db, write, connection, pass } = await inUse();
    connection.reconnect();
    await write();
    pass();
    await write();
    await sql`pragma wal_checkpoint(truncate)`.execute(db);
    const other = new Database(path);
    other.exec('insert into t values (2)');
    other.close();
    pass();
    await write();
  });

  test('have no log in rollback-journal mode, and are watched in the same way', async () => {
    const { path, db, write, pass } = await inUse();
    await sql`pragma journal_mode = delete`.execute(db);
    expect(existsSync(`${path}-wal`)).toBe(false);
    pass();
    await write();
    unlinkSync(path);
    pass();
    await rejectionOf(write());
  });
});

describe('the log of a database that was just opened', () => {
  const openAndUse = async () => {
    const path = temporaryFile();
    let ms = 0;
    const connection = new LocalConnection({ path, busyTimeoutMs: 25, monotonicMs: () => ms });
    onTestFinished(() => connection.close());
    connection.useWal();
    const write = () => connection.prepare('create table if not exists t (a)').all([]);
    return { path, connection, write, pass: () => (ms += 1_000) };
  };

  test('is found missing at the first check if it is gone', async () => {
    const { path, write, pass } = await openAndUse();
    unlinkSync(`${path}-wal`);
    pass();
    expect(write).toThrow(/test\.db-wal was deleted or moved/);
  });

  test('is not confused with a log that somebody else put there', async () => {
    const { path, write, pass } = await openAndUse();
    unlinkSync(`${path}-wal`);
    writeFileSync(`${path}-wal`, '');
    pass();
    expect(write).toThrow(/test\.db-wal was replaced/);
  });

  test('is found missing if it disappears after the connection was renewed', async () => {
    const { path, connection, write, pass } = await openAndUse();
    connection.reconnect();
    write();
    unlinkSync(`${path}-wal`);
    pass();
    expect(write).toThrow(/test\.db-wal was deleted or moved/);
  });

  test('is found missing if it disappears before the connection is renewed', async () => {
    const { path, connection, write } = await openAndUse();
    unlinkSync(`${path}-wal`);
    connection.reconnect();
    expect(write).toThrow(/test\.db-wal was deleted or moved/);
  });
});

test('a log that was emptied and written to again is found missing by its header', async () => {
  const { path, write, pass } = await inUse();
  await write();
  truncateSync(`${path}-wal`);
  await write();
  pass();
  expect((await rejectionOf(write())).message).toMatch(/test\.db-wal was emptied/);
});

test.each(['TRUNCATE', 'RESTART', 'PASSIVE'])(
  'a checkpoint by another connection does not count as a loss: %s',
  async (mode) => {
    const { path, write, pass } = await inUse();
    for (let i = 0; i < 3; i++) {
      const other = new Database(path);
      other.exec('insert into t values (2)');
      other.prepare(`pragma wal_checkpoint(${mode})`).all();
      other.close();
      pass();
      await write();
      pass();
      await write();
    }
  },
);

test('an instance whose files were deleted accepts nothing and is not ready', async () => {
  const path = temporaryFile();
  const database = await openDatabase({ url: `file:${path}` });
  onTestFinished(() => database.close());
  const durably = createDurably({ dialect: database.dialect, jobs: { echo }, pollingInterval: 20 });
  onTestFinished(() => durably.stop({ timeoutMs: 0 }));
  await durably.init();
  await durably.jobs.echo.trigger(1);
  const failed = nextEvent(durably, 'worker:error');
  for (const each of withCompanions(path)) unlinkSync(each);
  expect((await failed).error).toMatch(/test\.db was deleted or moved while it was in use.*restart/);
  expect(await durably.health()).toEqual({ database: false, worker: false });
  expect(await rejectionOf(durably.jobs.echo.trigger(2))).toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  await durably.stop();
  await database.close();
  expect(existsSync(join(dirname(path), 'test.db'))).toBe(false);
});
