import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createClient } from '@libsql/client';
import { Kysely, sql } from 'kysely';
import Database from 'libsql';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DatabaseOpenError, openServiceDatabase } from '../../src/app/database.ts';
import { createDurably } from '../../src/create-durably.ts';
import { temporaryFolder } from './temporary.ts';

async function pragma(url: string, name: string): Promise<unknown> {
  const database = await openServiceDatabase({ url });
  onTestFinished(() => database.close());
  const db = new Kysely({ dialect: database.dialect });
  const { rows } = await sql<Record<string, unknown>>`pragma ${sql.raw(name)}`.execute(db);
  return Object.values(rows[0] ?? {})[0];
}

/** Another process that holds the write lock until it is told to release it. */
async function lockedBy(path: string): Promise<ChildProcess> {
  const libsql = createRequire(import.meta.url).resolve('libsql');
  const script = `
    const Database = require(${JSON.stringify(libsql)});
    const db = new Database(${JSON.stringify(path)});
    db.exec('create table held (a); begin exclusive; insert into held values (1)');
    process.stdout.write('locked');
    process.stdin.once('data', () => { db.exec('commit'); process.exit(0); });
  `;
  const holder = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => {
    holder.kill('SIGKILL');
  });
  if (holder.stdout === null) throw new Error('no stdout');
  await once(holder.stdout, 'data');
  return holder;
}

describe('the database', () => {
  it('creates its folder, and a file in WAL mode that survives power cuts', async () => {
    const path = join(await temporaryFolder(), 'deep', 'er', 'durably.db');
    expect(await pragma(pathToFileURL(path).href, 'journal_mode')).toBe('wal');
    expect(existsSync(path)).toBe(true);
    expect(await pragma(pathToFileURL(path).href, 'synchronous')).toBe(2);
    expect(await pragma(pathToFileURL(path).href, 'busy_timeout')).toBe(25);
  });

  it('does not change a file with other contents', async () => {
    const path = join(await temporaryFolder(), 'theirs.db');
    const theirs = new Database(path);
    theirs.exec('create table durably_runs (mine)');
    theirs.close();
    const before = readFileSync(path);
    const database = await openServiceDatabase({ url: pathToFileURL(path).href });
    onTestFinished(() => database.close());
    const durably = createDurably({ dialect: database.dialect });
    await expect(durably.migrate()).rejects.toThrow(/durably_runs/);
    expect(readFileSync(path)).toEqual(before);
    expect(existsSync(`${path}-wal`)).toBe(false);
  });

  it('switches an existing file to WAL mode after migrating it', async () => {
    const path = join(await temporaryFolder(), 'shared.db');
    const theirs = new Database(path);
    theirs.exec('create table mine (a)');
    theirs.close();
    const database = await openServiceDatabase({ url: pathToFileURL(path).href });
    onTestFinished(() => database.close());
    const durably = createDurably({ dialect: database.dialect });
    expect(await pragma(pathToFileURL(path).href, 'journal_mode')).toBe('delete');
    await durably.migrate();
    expect(await pragma(pathToFileURL(path).href, 'journal_mode')).toBe('wal');
  });

  it.each([
    (folder: string) => `file://${pathToFileURL(folder).pathname}/new%20one/d.db`,
    (folder: string) => `file://localhost${pathToFileURL(folder).pathname}/new%20one/d.db`,
    (folder: string) => `file:${pathToFileURL(folder).pathname}/new%20one/d.db`,
  ])('accepts each form of a file URL (%#)', async (urlIn) => {
    const folder = await temporaryFolder();
    await (await openServiceDatabase({ url: urlIn(folder) })).close();
    expect(existsSync(join(folder, 'new one', 'd.db'))).toBe(true);
  });

  it('can be in memory', async () => {
    expect(await pragma(':memory:', 'journal_mode')).toBe('memory');
  });

  it('waits while another process holds the lock', async () => {
    const path = join(await temporaryFolder(), 'd.db');
    const holder = await lockedBy(path);
    let opened = false;
    const opening = openServiceDatabase({ url: pathToFileURL(path).href }).then((database) => {
      opened = true;
      return database;
    });
    const probe = createClient({ url: pathToFileURL(path).href, concurrency: 1 });
    await expect(probe.execute('insert into held values (2)')).rejects.toMatchObject({ code: 'SQLITE_BUSY' });
    probe.close();
    expect(opened).toBe(false);
    holder.stdin?.write('let go');
    const database = await opening;
    onTestFinished(() => database.close());
    // A connection that was kept after BUSY would report success here and lose the write.
    await sql`insert into held values (3)`.execute(new Kysely({ dialect: database.dialect }));
    const reader = createClient({ url: pathToFileURL(path).href });
    const { rows } = await reader.execute('select a from held order by a');
    reader.close();
    expect(rows.map(({ a }) => a)).toEqual([1, 3]);
  });

  it('reports in one line that a file is not a database', async () => {
    const path = join(await temporaryFolder(), 'notes.txt');
    await writeFile(path, 'not a database, just notes\n'.repeat(200));
    const error = await openServiceDatabase({ url: pathToFileURL(path).href }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(DatabaseOpenError);
    expect(String(error)).toMatch(/Cannot open the database file:.*notes\.txt: .*not a database/);
    expect(String(error)).not.toContain('\n');
  });

  it("reports in one line that it can't be opened", async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'd.db'));
    await expect(openServiceDatabase({ url: pathToFileURL(`${folder}/d.db`).href })).rejects.toThrow(
      DatabaseOpenError,
    );
    await writeFile(join(folder, 'file'), '');
    await expect(openServiceDatabase({ url: pathToFileURL(`${folder}/file/d.db`).href })).rejects.toThrow(
      /Cannot open the database/,
    );
  });
});
