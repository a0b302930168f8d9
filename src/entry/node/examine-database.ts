import { access, constants, stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CompiledQuery } from 'kysely';
import { createAccess } from '../../app/access.ts';
import type { Config } from '../../app/config.ts';
import { isBusy, openServiceDatabase } from '../../app/database.ts';
import { errorMessage } from '../../core/errors/error-text.ts';
import { withoutCredentials } from '../../core/errors/secrets.ts';
import type { Durably } from '../../create-durably.ts';
import { NEWEST, readSchema } from '../../storage/sqlite/migrations/found-schema.ts';
import { reachServer } from './ask-database.ts';
import { type Finding, fine, MAX_SKEW_MS, odd, wrong } from './finding.ts';
import { createInstance } from './instance.ts';
import { explainFailedStart } from './start-failure.ts';

const LOW_DISK_BYTES = 100 * 1024 ** 2;

/** Looks whether the service could work with its database. Changes nothing. */
export async function examineDatabase(config: Config): Promise<Finding[]> {
  const file = fileOf(config.TURSO_DATABASE_URL);
  const findings = file === undefined ? [] : await examineFile(file);
  if (findings.some(({ state }) => state === 'wrong')) return findings;
  if (file !== undefined && !(await exists(file))) {
    return [
      ...findings,
      odd(`the database ${file} does not exist yet: the service makes it at its first start`),
    ];
  }
  try {
    return [...findings, ...(await examineContent(config))];
  } catch (error) {
    const explained = explainFailedStart(error, config);
    return [
      ...findings,
      wrong(
        isBusy(error) ? `another process holds the lock of ${file}: end that one` : errorMessage(explained),
      ),
    ];
  }
}

async function examineContent(config: Config): Promise<Finding[]> {
  const { TURSO_DATABASE_URL: url, TURSO_AUTH_TOKEN: authToken } = config;
  const database = await openServiceDatabase({ url, authToken });
  const durably = createInstance(config, database, { access: await createAccess(config) });
  try {
    await reachServer(durably.db, config);
    const schema = await readSchema(durably.db);
    const reached = fine(`the database ${withoutCredentials(url)} answers`);
    const skew = fileOf(url) === undefined ? [await examineClock(durably)] : [];
    if (schema === null || !schema.isWhole) {
      return [
        reached,
        ...skew,
        odd('the database is empty: durably migrate makes its tables, or the first start does'),
      ];
    }
    if (schema.version < NEWEST) {
      const behind = `the schema has version ${schema.version} of ${NEWEST}: durably migrate brings it up to date, or the next start does`;
      return [reached, ...skew, odd(behind)];
    }
    return [
      reached,
      ...skew,
      fine(`the schema has version ${schema.version}, the newest`),
      await examineWrites(durably),
    ];
  } finally {
    await durably.db.destroy();
    await database.close();
  }
}

async function examineWrites(durably: Pick<Durably, 'health'>): Promise<Finding> {
  const { database, reason } = await durably.health();
  if (database) return fine('the database takes writes');
  return wrong(
    `${reason ?? 'the database takes no writes'}: another process may hold its lock, or its disk is full`,
  );
}

/** Compares the clocks of this machine and of a server. */
async function examineClock({ db }: Pick<Durably, 'db'>): Promise<Finding> {
  const askedMs = Date.now();
  const { rows } = await db.executeQuery<{ now: unknown }>(
    CompiledQuery.raw(`select unixepoch('subsec') * 1000 as now`),
  );
  const skewMs = Math.round(Number(rows[0]?.now) - (askedMs + Date.now()) / 2);
  if (Math.abs(skewMs) <= MAX_SKEW_MS) return fine('the clocks of this machine and of the database agree');
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  const side = skewMs > 0 ? 'behind' : 'ahead of';
  return odd(
    `the clock of this machine is ${seconds} s ${side} the database's, by which durably goes: set it`,
  );
}

async function examineFile(file: string): Promise<Finding[]> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isDirectory()) return [wrong(`${file} is a folder: name a file in it`)];
  const folder = await existingFolderOf(file);
  for (const path of found === undefined ? [folder] : [file, folder]) {
    const isOpen = await access(path, constants.R_OK | constants.W_OK).then(
      () => true,
      () => false,
    );
    if (!isOpen)
      return [
        wrong(`this user may not read and write ${path}: change its permissions, or name another place`),
      ];
  }
  const { bavail, bsize } = await statfs(folder);
  const freeMib = Math.floor((bavail * bsize) / 1024 ** 2);
  if (bavail * bsize >= LOW_DISK_BYTES) return [fine(`the disk of ${folder} has ${freeMib} MiB free`)];
  return [wrong(`the disk of ${folder} has only ${freeMib} MiB free: make room`)];
}

/** The nearest folder above the file that exists. */
async function existingFolderOf(file: string): Promise<string> {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if ((await exists(folder)) || folder === dirname(folder)) return folder;
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

/** The path of a local database. Undefined for a server and for memory. */
function fileOf(url: string): string | undefined {
  if (!url.startsWith('file:')) return undefined;
  const withoutQuery = url.replace(/[?#].*$/, '');
  return withoutQuery.startsWith('file:/')
    ? fileURLToPath(withoutQuery)
    : resolve(withoutQuery.slice('file:'.length));
}
