import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createClient } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import { SqliteDialect } from 'kysely';
import Database from 'libsql';
import { openServiceDatabase } from '../../../../src/app/database.ts';
import type { Clock } from '../../../../src/core/time/clock.ts';
import { createStore } from '../../../../src/storage/sqlite/store.ts';
import type { Backend, Content, OpenedDatabase, TestDatabase } from '../../../support/backend.ts';
import { SqldWithoutSockets } from '../../../support/sqld/without-sockets.ts';
import { copyMigratedFile } from './migrated-file.ts';
import { createTools } from './tools.ts';

const sqlite = {
  createStore: ({ dialect, reconnect }: OpenedDatabase, clock: Clock) =>
    createStore({ dialect, reconnect, clock }).store,
  createTools,
};

export const sqliteBackends: readonly Backend[] = [
  {
    name: 'LibsqlDialect, default client',
    ...sqlite,
    needsReconnect: false,
    locks: 'refuse',
    createDatabase: inFolder(openLibsql),
  },
  {
    name: "the service's own on a file",
    ...sqlite,
    needsReconnect: false,
    locks: 'refuse',
    createDatabase: inFolder((path) => openServiceDatabase({ url: pathToFileURL(path).href })),
  },
  {
    name: 'SqliteDialect on libsql',
    ...sqlite,
    needsReconnect: true,
    locks: 'refuse',
    createDatabase: inFolder(openSqlite),
  },
  {
    ...sqlite,
    name: 'LibsqlDialect, remote',
    needsReconnect: false,
    locks: 'wait',
    createDatabase: onServer,
  },
];

/** A server of the test's own, on a file of the test's own. What a network adds is tested in test/remote. */
async function onServer(content: Content = 'empty'): Promise<TestDatabase> {
  const { folder, path } = await makeFile(content);
  const server = new SqldWithoutSockets(path);
  return {
    open: () => {
      const client = createClient(server.openClient());
      return { dialect: new LibsqlDialect({ client }), close: () => client.close() };
    },
    remove: () => {
      try {
        server.stop();
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
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
  // Kysely keeps the object it is given: this one stays while the connection behind it is renewed.
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
