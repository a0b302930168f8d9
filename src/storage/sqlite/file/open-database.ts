import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Dialect } from 'kysely';
import { errorMessage } from '../../../core/errors/error-text.ts';
import { withoutCredentials } from '../../../core/errors/secrets.ts';
import { checkMembers, type MembersOf } from '../../../core/validation/known-names.ts';
import { refuseEmbeddedReplica } from '../embedded-replica.ts';
import { LocalConnection } from './local-connection.ts';
import { localDialect } from './local-dialect.ts';
import { checkLength, checkWritable, makeFolder, realPath } from './local-file.ts';

/** How long a write waits for another connection's lock. It blocks the event loop meanwhile. */
const BUSY_TIMEOUT_MS = 25;
const BUSY_BUDGET_MS = 10_000;

const IN_MEMORY = ':memory:';

/** The database to open. */
export interface OpenDatabaseOptions {
  /** `file:local.db`, `file:///var/lib/app.db`, or `:memory:`. */
  readonly url: string;
}

const OPTIONS: MembersOf<OpenDatabaseOptions> = { url: true };

/** A database of this machine. */
export interface Database {
  /** What `createDurably` takes. */
  readonly dialect: Dialect;
  /**
   * Closes the database. The `.db` file is then complete, without the `-wal`, unless another process
   * is using it. Stop durably first.
   */
  close(): Promise<void> | void;
}

/** The database can't be opened. The message is one line that names it. */
export class DatabaseOpenError extends Error {
  override readonly name = 'DatabaseOpenError';
}

/**
 * Opens a file, or a database in memory, by the dialect that is the fastest for
 * durably: one connection, its statements prepared once, in WAL mode with
 * `synchronous=FULL`. A missing folder is created. An existing file is not changed
 * before durably migrates it.
 *
 * If another process holds the file's lock, this waits for up to ten seconds.
 *
 * @throws {DatabaseOpenError}
 * @throws {ValidationError} for an option that it doesn't have.
 * @example
 * const database = await openDatabase({ url: 'file:local.db' });
 * const durably = createDurably({ dialect: database.dialect });
 * await durably.init();
 * // … and at the end:
 * await durably.stop();
 * await database.close();
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<Database> {
  refuseEmbeddedReplica(options);
  checkMembers('openDatabase option', options ?? null, OPTIONS);
  const { url } = options;
  try {
    const path = localPath(url);
    if (path === undefined) throw new Error('only file: URLs and :memory: are opened here');
    const connection = await openLocal(path);
    return { dialect: localDialect(connection), close: () => connection.close() };
  } catch (error) {
    throw openError(url, error);
  }
}

/** The one-line error for a database that cannot be opened. It shows no credentials of the URL. */
export function openError(url: string, error: unknown): DatabaseOpenError {
  const name = withoutCredentials(String(url).replace(/\?.*$/s, ''));
  const message = errorMessage(error).replace(/\s*\n\s*/g, ' ');
  return new DatabaseOpenError(`Cannot open the database ${name}: ${message}`, { cause: error });
}

/** Whether the URL names a file, or a database in memory. */
export function isLocal(url: string): boolean {
  return url === IN_MEMORY || url.startsWith('file:');
}

async function openLocal(name: string): Promise<LocalConnection> {
  const path = name === IN_MEMORY ? name : await findFile(name);
  const connection = new LocalConnection({ path, busyTimeoutMs: BUSY_TIMEOUT_MS });
  if (connection.isInMemory) return connection;
  try {
    await whileBusy(connection, () => {
      // A file with tables may belong to another program, so it is not changed.
      if (isEmpty(connection)) connection.useWal();
    });
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Where the file is, or will be made. It can be opened and written. */
async function findFile(name: string): Promise<string> {
  await makeFolder(dirname(name));
  const path = await realPath(name);
  await checkWritable(path);
  await checkLength(path);
  return path;
}

function isEmpty(connection: LocalConnection): boolean {
  return connection.prepare('select 1 from sqlite_master limit 1').all([]).length === 0;
}

async function whileBusy(connection: LocalConnection, work: () => void): Promise<void> {
  const deadline = performance.now() + BUSY_BUDGET_MS;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error;
      // A libSQL connection that met BUSY commits nothing any more, whatever it reports.
      connection.reconnect();
      await pause(10 + Math.random() * 90);
    }
  }
}

/** Whether an error, or its cause, is another connection's lock. */
export function isBusy(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && String(error.code).startsWith('SQLITE_BUSY')) return true;
  return isBusy(error.cause);
}

/**
 * The path in `file:a/b.db`, `file:/a/b.db`, `file:///a/b.db` or `file://localhost/a/b.db`, or
 * `:memory:`. Undefined for the address of a server.
 */
function localPath(url: string): string | undefined {
  if (typeof url !== 'string') throw new TypeError('`url` must be a string');
  if (url === IN_MEMORY) return url;
  const [, host = '', path] = /^file:(?:\/\/([^/]*))?(.*)$/s.exec(url) ?? [];
  if (path === undefined) return undefined;
  if (path === '') throw new Error('a file: URL names a file');
  if (host !== '' && host !== 'localhost') throw new Error(`a file has no host ${host}`);
  if (/[?#]/.test(path)) throw new Error('a file: URL has no query and no fragment');
  try {
    return decodeURIComponent(path);
  } catch {
    throw new Error('a file: URL has %25 in place of %');
  }
}
