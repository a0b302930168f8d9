import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompiledQuery, Kysely, sql } from 'kysely';
import Database from 'libsql';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createDurably } from '../../../../src/index.ts';
import { openDatabase } from '../../../../src/sqlite.ts';
import { LocalConnection } from '../../../../src/storage/sqlite/file/local-connection.ts';
import { localDialect } from '../../../../src/storage/sqlite/file/local-dialect.ts';
import { echo } from '../../../support/jobs.ts';
import { rejectionOf } from '../../../support/runs.ts';

function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'durably-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'test.db');
}

/** A connection of the local driver, and a second one outside of it. */
function opened() {
  const path = temporaryFile();
  const other = new Database(path);
  other.exec('pragma journal_mode = wal; create table t (a, b)');
  const connection = new LocalConnection({ path, busyTimeoutMs: 25 });
  onTestFinished(() => {
    connection.close();
    other.close();
  });
  const db = new Kysely<{ t: { a: unknown; b: unknown } }>({ dialect: localDialect(connection) });
  const execute = async (text: string, parameters: unknown[] = []) =>
    (await db.executeQuery<Record<string, unknown>>(CompiledQuery.raw(text, parameters))).rows;
  return { connection, other, db, execute };
}

describe('a local database', () => {
  test('prepares a statement once, and keeps a limited number', async () => {
    const { execute, connection } = opened();
    connection.prepare('select -1');
    const prepare = vi.spyOn(Database.prototype, 'prepare');
    onTestFinished(() => prepare.mockRestore());
    for (let i = 0; i < 3; i++) await execute('insert into t values (?, null)', [i]);
    expect(prepare).toHaveBeenCalledTimes(1);
    for (let i = 0; i < 150; i++) {
      await execute(`select ${i}`);
      await execute('insert into t values (?, null)', [i]);
    }
    // A statement that was used recently stays. One that was not is dropped.
    expect(prepare).toHaveBeenCalledTimes(151);
    await execute('select 0');
    expect(prepare).toHaveBeenCalledTimes(152);
    await execute('select 149');
    expect(prepare).toHaveBeenCalledTimes(152);
  });

  test('binds parameters as @libsql/client does', async () => {
    const { execute } = opened();
    const bytes = new Uint8Array([1, 2]);
    const values = ['text', 1.5, 7n, true, false, null, bytes, bytes.buffer, new Date(1234)];
    const columns = values.map((_, i) => `? as c${i}, typeof(?${i + 1}) as t${i}`).join(', ');
    const [row = {}] = await execute(`select ${columns}`, values);
    const found = values.map((_, i) => [row[`t${i}`], row[`c${i}`]]);
    expect(found).toEqual([
      ['text', 'text'],
      ['real', 1.5],
      ['integer', 7],
      ['real', 1],
      ['real', 0],
      ['null', null],
      ['blob', bytes.buffer],
      ['blob', bytes.buffer],
      ['real', 1234],
    ]);
  });

  test('refuses a parameter that would crash the process', async () => {
    const { execute } = opened();
    for (const value of [undefined, [1], {}, () => 1, Symbol('s')]) {
      await expect(execute('insert into t values (?, 1)', [value])).rejects.toThrow(TypeError);
    }
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(execute('insert into t values (?, 1)', [value])).rejects.toThrow(RangeError);
    }
    expect(await execute('select * from t')).toEqual([]);
  });

  test('does not reuse parameters of the previous call', async () => {
    const { execute } = opened();
    const insert = 'insert into t values (?, ?) returning a, b';
    expect(await execute(insert, [1, 2])).toEqual([{ a: 1, b: 2 }]);
    expect(await execute(insert, [3])).toEqual([{ a: 3, b: null }]);
  });

  test('keeps its statements working when another connection changes the schema', async () => {
    const { execute, other } = opened();
    await execute('insert into t values (?, ?)', [1, 2]);
    expect(await execute('select * from t')).toEqual([{ a: 1, b: 2 }]);
    other.exec("alter table t add column c text default 'new'");
    expect(await execute('select * from t')).toEqual([{ a: 1, b: 2, c: 'new' }]);
    other.exec('drop table t');
    await expect(execute('select * from t')).rejects.toMatchObject({ code: 'SQLITE_ERROR' });
    other.exec('create table t (b, a)');
    await execute('insert into t values (?, ?)', [3, 4]);
    expect(await execute('select * from t')).toEqual([{ b: 3, a: 4 }]);
  });

  test.each([
    'select t.*, 2 as two from t',
    'select 2 as two,* from t',
    'update t set a = a returning *, 2 as two',
    'select c.*, 2 * 1 as two from (select * from t) as c',
  ])('names the current columns of a star: %s', async (text) => {
    const { execute, other } = opened();
    await execute('insert into t values (?, ?)', [1, 3]);
    expect(await execute(text)).toEqual([{ a: 1, b: 3, two: 2 }]);
    other.exec("alter table t rename column b to c; alter table t add column d text default 'new'");
    expect(await execute(text)).toEqual([{ a: 1, c: 3, d: 'new', two: 2 }]);
  });

  test('names columns as the statement does, whatever happened to the table', async () => {
    const { execute, other } = opened();
    await execute('insert into t values (?, ?)', [1, 3]);
    const text = 'select a, a * 2 as twice, b as a, 2*3, "b" as __proto__ from t';
    const row = { a: 3, twice: 2, '2*3': 6 };
    expect(await execute(text)).toEqual([row]);
    other.exec('alter table t add column c');
    expect(await execute(text)).toEqual([row]);
    expect(await execute('pragma table_info(t)')).toMatchObject([
      { name: 'a' },
      { name: 'b' },
      { name: 'c' },
    ]);
  });

  test('names the values of a statement with fixed columns, and gives them as any other does', async () => {
    const { connection, execute } = opened();
    await execute('insert into t values (?, ?)', [1, new Uint8Array([1, 2])]);
    const text = 'select a, b as bytes, null as none from t';
    const rows = connection.prepare(text, 'fixed').all([]);
    expect(rows).toEqual([{ a: 1, bytes: new Uint8Array([1, 2]).buffer, none: null }]);
    expect(rows).toEqual(await execute(`${text} where true`));
  });

  test('holds no lock for an abandoned stream', async () => {
    const { db, other, execute } = opened();
    await execute('insert into t select value, null from json_each(?)', [JSON.stringify(Array(500).fill(1))]);
    for await (const row of db.selectFrom('t').selectAll().stream()) {
      expect(row).toEqual({ a: 1, b: null });
      break;
    }
    other.exec('insert into t values (2, 2)');
    // A checkpoint succeeds only if no reader still uses the old snapshot.
    expect(other.prepare('pragma wal_checkpoint(truncate)').all()).toEqual([
      { busy: 0, log: 0, checkpointed: 0 },
    ]);
  });

  test('keeps its settings when it is renewed, and leaves no lock behind', async () => {
    const { connection, other, execute } = opened();
    await execute('pragma synchronous = off');
    await execute('pragma busy_timeout = 1');
    expect(await execute('pragma busy_timeout')).toEqual([{ timeout: 1 }]);
    await execute('begin immediate');
    await execute('insert into t values (1, 1)');
    expect(() => other.exec('insert into t values (2, 2)')).toThrow('locked');
    connection.reconnect();
    other.exec('insert into t values (2, 2)');
    expect(await execute('pragma synchronous')).toEqual([{ synchronous: 2 }]);
    expect(await execute('pragma busy_timeout')).toEqual([{ timeout: 25 }]);
    expect(await execute('select a from t')).toEqual([{ a: 2 }]);
  });

  test('is opened by a later statement if its renewal failed', async () => {
    const { connection, execute, other } = opened();
    connection.reconnect();
    other.exec('pragma journal_mode = delete; begin exclusive');
    await expect(execute('select * from t')).rejects.toMatchObject({ code: 'SQLITE_BUSY' });
    other.exec('commit');
    expect(await execute('select * from t')).toEqual([]);
  });

  test('fails a statement as busy if its check of the files met a lock, so that the connection is renewed', async () => {
    const { connection, execute, other } = opened();
    connection.reconnect();
    other.exec('pragma journal_mode = delete; begin exclusive');
    // This statement reads nothing from the file.
    await expect(execute('select 1')).rejects.toMatchObject({ code: 'SQLITE_BUSY' });
    other.exec('commit');
    connection.reconnect();
    await execute('insert into t values (1, 1)');
    other.exec('insert into t values (2, 2)');
    expect(await execute('select a from t order by a')).toEqual([{ a: 1 }, { a: 2 }]);
  });

  test('reports that it is closed, also to a statement that was prepared before', async () => {
    const { connection, execute } = opened();
    const insert = 'insert into t values (1, 1)';
    await execute(insert);
    connection.close();
    await expect(execute(insert)).rejects.toMatchObject({ code: 'CLIENT_CLOSED' });
  });

  test('reports a violated constraint by its code', async () => {
    const { execute } = opened();
    await execute('create unique index u on t (a)');
    await execute('insert into t values (1, 1)');
    await expect(execute('insert into t values (1, 1)')).rejects.toMatchObject({
      code: expect.stringMatching(/^SQLITE_CONSTRAINT/),
    });
  });
});

test('an in-memory database survives a write that it refused', async () => {
  const { dialect, close } = await openDatabase({ url: ':memory:' });
  const durably = createDurably({ dialect, jobs: { echo } });
  await durably.migrate();
  await durably.jobs.echo.trigger('kept');
  const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(durably.db);
  await sql`pragma max_page_count = ${sql.raw(String(rows[0]?.page_count))}`.execute(durably.db);
  expect(await rejectionOf(durably.jobs.echo.trigger('x'.repeat(100_000)))).toMatchObject({
    permanent: false,
  });
  expect((await durably.getRuns()).map(({ payload }) => payload)).toEqual(['kept']);
  await durably.db.destroy();
  await close();
});

test.each(['file://elsewhere/d.db', 'file:d.db?mode=ro', 'file:d.db#part'])('%s is refused', async (url) => {
  await expect(openDatabase({ url })).rejects.toThrow(/Cannot open the database.*: a file/);
});
