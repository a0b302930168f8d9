import { mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import type { Dialect } from 'kysely';
import { errorMessage } from '../core/error-text.ts';
import { LocalConnection, localDialect } from './local-database.ts';
import { timedFetch } from './timed-fetch.ts';

/** How long a write waits for another connection's lock; the event loop waits with it. */
const BUSY_TIMEOUT_MS = 25;
const BUSY_BUDGET_MS = 10_000;
/**
 * More than are ever under way at once in practice: what waits in the client's
 * queue may have been given up by the engine before it is sent.
 */
const MAX_REQUESTS = 100;

export interface DatabaseOptions {
  /** `file:…`, `:memory:`, or the address of a libSQL server. */
  readonly url: string;
  readonly authToken?: string | undefined;
}

export interface Database {
  readonly dialect: Dialect;
  /** Puts a file into WAL mode, once it is known to be ours. */
  useWal(): Promise<void>;
  close(): void;
}

/** The database can't be opened. The message is one line that names it. */
export class DatabaseOpenError extends Error {
  override readonly name = 'DatabaseOpenError';
}

/**
 * Opens the service's database. A file's folder is made, and a new file put into
 * WAL mode; while another process holds its lock, that is tried again for up to
 * ten seconds. A server is not asked anything yet.
 *
 * @throws {DatabaseOpenError}
 */
export async function openDatabase({ url, authToken }: DatabaseOptions): Promise<Database> {
  try {
    const path = localPath(url);
    if (path !== undefined) {
      const connection = await openLocal(path);
      return {
        dialect: localDialect(connection),
        useWal: async () => await whileBusy(connection, () => setWal(connection)),
        close: () => connection.close(),
      };
    }
    const client = createClient({
      url,
      concurrency: MAX_REQUESTS,
      fetch: timedFetch,
      ...(authToken === undefined ? {} : { authToken }),
    });
    return {
      dialect: new LibsqlDialect({ client }),
      useWal: async () => undefined,
      close: () => client.close(),
    };
  } catch (error) {
    const name = url.replace(/\?.*$/s, '');
    throw new DatabaseOpenError(`Cannot open the database ${name}: ${errorMessage(error)}`, { cause: error });
  }
}

async function openLocal(path: string): Promise<LocalConnection> {
  const connection = new LocalConnection({ path, busyTimeoutMs: BUSY_TIMEOUT_MS });
  if (connection.isInMemory) return connection;
  await makeFolder(dirname(path));
  await checkLength(path);
  try {
    await whileBusy(connection, () => {
      // What holds tables may be somebody else's, and is not ours to change.
      if (isEmpty(connection)) setWal(connection);
    });
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function isEmpty(connection: LocalConnection): boolean {
  return connection.prepare('select 1 from sqlite_master limit 1').all([]).length === 0;
}

/** Nothing changes in memory, where there is no other mode. */
function setWal(connection: LocalConnection): void {
  connection.execute('pragma journal_mode = WAL');
}

/** What `mkdir` does if `recursive`, where that never ends: in a file system that takes no folders, Linux's `/proc`. */
async function makeFolder(path: string): Promise<void> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  if (dirname(path) !== path) await makeFolder(dirname(path));
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    // Another process was faster.
    if (error.code !== 'EEXIST') throw error;
  });
}

/**
 * Of a file that was cut short SQLite reads the missing pages as empty, and
 * complains only when it gets to one. While there is a log of writes that are
 * not in the file yet, its length says nothing.
 *
 * The header: https://www.sqlite.org/fileformat.html#the_database_header
 */
async function checkLength(path: string): Promise<void> {
  if ((await sizeOf(`${path}-wal`)) > 0 || (await sizeOf(path)) < 100) return;
  const file = await open(path);
  try {
    const { buffer: header } = await file.read({ buffer: Buffer.alloc(100), position: 0 });
    if (!header.toString('latin1').startsWith('SQLite format 3')) return;
    const isLengthValid = header.readUInt32BE(24) === header.readUInt32BE(92);
    const pageBytes = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
    const bytes = header.readUInt32BE(28) * pageBytes;
    if (isLengthValid && (await file.stat()).size < bytes) throw new Error('the file was cut short');
  } finally {
    await file.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

async function whileBusy(connection: LocalConnection, work: () => void): Promise<void> {
  const deadline = performance.now() + BUSY_BUDGET_MS;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error;
      // A libSQL connection that met BUSY commits nothing any more, whatever it answers.
      connection.reconnect();
      await pause(10 + Math.random() * 90);
    }
  }
}

/** Whether an error, or what caused it, is another connection's lock. */
export function isBusy(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && String(error.code).startsWith('SQLITE_BUSY')) return true;
  return isBusy(error.cause);
}

/**
 * `file:a/b.db`, `file:/a/b.db`, `file:///a/b.db` and `file://localhost/a/b.db`,
 * or `:memory:`; undefined for a server's address.
 */
function localPath(url: string): string | undefined {
  if (url === ':memory:') return url;
  const [, host = '', path] = /^file:(?:\/\/([^/]*))?(.*)$/s.exec(url) ?? [];
  if (path === undefined) return undefined;
  if (host !== '' && host !== 'localhost') throw new Error(`a file has no host ${host}`);
  if (/[?#]/.test(path)) throw new Error('a file: URL has no query and no fragment');
  return decodeURIComponent(path);
}
