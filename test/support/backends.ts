import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createClient } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import { type Dialect, SqliteDialect } from 'kysely';
import Database from 'libsql';
import { openDatabase } from '../../src/app/database.ts';
import { copyMigratedFile } from './migrated-file.ts';
import { Sqld } from './sqld/server.ts';

/** One connection to a test's database, as one process would open it. */
export interface OpenedDatabase {
  readonly dialect: Dialect;
  /** For dialects whose connection the engine can't renew by itself. */
  readonly reconnect?: () => void;
  close(): void | Promise<void>;
}

export type Content = 'empty' | 'migrated';

/** The database of one test. */
export interface TestDatabase {
  open(): OpenedDatabase | Promise<OpenedDatabase>;
  remove(): void | Promise<void>;
}

/** A kind of database and the way to reach it. The contract suite runs over each row of {@link backends}. */
export interface Backend {
  readonly name: string;
  /** Whether the engine can't renew the connection by itself, so that `reconnect` must be given. */
  readonly needsReconnect: boolean;
  /** On a file a writer is refused while another has the lock. A server makes it wait. */
  readonly locks: 'refuse' | 'wait';
  /** A database that is empty, or filled by {@link copyMigratedFile}. */
  createDatabase(content?: Content): Promise<TestDatabase>;
}

export const backends: readonly Backend[] = [
  {
    name: 'LibsqlDialect, default client',
    needsReconnect: false,
    locks: 'refuse',
    createDatabase: inFolder(openLibsql),
  },
  {
    name: "the service's own on a file",
    needsReconnect: false,
    locks: 'refuse',
    createDatabase: inFolder((path) => openDatabase({ url: pathToFileURL(path).href })),
  },
  {
    name: 'SqliteDialect on libsql',
    needsReconnect: true,
    locks: 'refuse',
    createDatabase: inFolder(openSqlite),
  },
  { name: 'LibsqlDialect, remote', needsReconnect: false, locks: 'wait', createDatabase: onServer },
];

/** A server of the test, on a file of the test. */
async function onServer(content: Content = 'empty'): Promise<TestDatabase> {
  const { folder, path } = await makeFile(content);
  const server = await Sqld.start({ file: path });
  return {
    open: () => {
      const client = createClient({ url: server.url });
      return { dialect: new LibsqlDialect({ client }), close: () => client.close() };
    },
    remove: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function inFolder(open: (path: string) => OpenedDatabase | Promise<OpenedDatabase>) {
  return async (content: Content = 'empty'): Promise<TestDatabase> => {
    const { folder, path } = await makeFile(content);
    return { open: () => open(path), remove: () => rmSync(folder, { recursive: true, force: true }) };
  };
}

async function makeFile(content: Content): Promise<{ folder: string; path: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'durably-test-'));
  const path = join(folder, 'test.db');
  if (content === 'migrated') await copyMigratedFile(path);
  return { folder, path };
}

function openLibsql(path: string): OpenedDatabase {
  const client = createClient({ url: pathToFileURL(path).href });
  return { dialect: new LibsqlDialect({ client }), close: () => client.close() };
}

function openSqlite(path: string): OpenedDatabase {
  let database = new Database(path);
  // Kysely keeps this object while the connection behind it is renewed.
  const proxy = { prepare: (sql: string) => database.prepare(sql), close: () => database.close() };
  return {
    dialect: new SqliteDialect({ database: proxy as never }),
    reconnect: () => {
      database.close();
      database = new Database(path);
    },
    close: () => {
      database.close();
    },
  };
}
