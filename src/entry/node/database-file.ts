import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StartError } from './start-failure.ts';

/**
 * Looks at a file database before SQLite does, whose errors don't tell a folder
 * that can't be written from a file that can't: `unable to open`.
 *
 * @throws {StartError}
 */
export async function checkDatabaseFile(url: string): Promise<void> {
  const path = /^file:(?:\/\/(?:localhost)?(?=\/))?([^?#]+)$/s.exec(url)?.[1];
  if (path === undefined) return;
  const file = decodeURIComponent(path);
  const refuse = (what: string, advice: string) => {
    throw new StartError(`Cannot open the database ${url}: ${what}: TURSO_DATABASE_URL: ${advice}`);
  };
  const folder = await existingFolderOf(file);
  const kind = await kindOf(folder);
  if (kind === 'file') refuse(`${folder} is a file, not a folder`, 'name a file in a folder');
  if (!(await isWritable(folder))) {
    refuse(
      `the folder ${folder} is not writable`,
      'let the user of this process write in it, or name another place',
    );
  }
  if ((await kindOf(file)) === 'folder') refuse(`${file} is a folder`, 'name a file in it');
  for (const part of [file, `${file}-wal`, `${file}-shm`]) {
    if ((await kindOf(part)) === 'none' || (await isWritable(part))) continue;
    refuse(`the file ${part} is not writable`, 'let the user of this process write it, or name another file');
  }
}

/** The folders below it will be made. */
async function existingFolderOf(path: string): Promise<string> {
  let folder = dirname(path);
  while ((await kindOf(folder)) === 'none' && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

async function kindOf(path: string): Promise<'file' | 'folder' | 'none'> {
  return await stat(path).then(
    (found) => (found.isDirectory() ? 'folder' : 'file'),
    () => 'none' as const,
  );
}

async function isWritable(path: string): Promise<boolean> {
  return await access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}
