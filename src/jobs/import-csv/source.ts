import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep, win32 } from 'node:path';

/**
 * Larger files are refused. The whole file is held in memory, so that the imported bytes are the ones that were
 * hashed.
 */
export const MAX_FILE_BYTES = 32 * 1024 * 1024;

/** Whether the text of a relative path stays inside its folder. Does not look at the file system. */
export function staysInside(file: string): boolean {
  if (isAbsolute(file) || win32.isAbsolute(file) || file.includes('\0')) return false;
  return isBelow(resolve('/', 'root'), resolve('/', 'root', file));
}

/**
 * Reads a file inside a folder.
 *
 * @throws {Error} if the path leaves the folder (also by a symbolic link), or if the file is missing, not a
 * regular file, or larger than {@link MAX_FILE_BYTES}.
 */
export async function readFileInside(dataDir: string, file: string): Promise<Buffer> {
  const leaves = new Error(`${file}: lies outside the data folder`);
  if (!staysInside(file)) throw leaves;
  const path = await realPathOf(resolve(dataDir, file), file);
  if (!isBelow(await realPathOf(dataDir, 'the data folder'), path)) throw leaves;
  // NONBLOCK: opening a pipe must not wait for its writer. NOFOLLOW: the path is already resolved.
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);
  const handle = await open(path, flags);
  try {
    return await readWhole(handle, file);
  } finally {
    await handle.close();
  }
}

async function readWhole(handle: FileHandle, file: string): Promise<Buffer> {
  const stats = await handle.stat();
  if (!stats.isFile()) throw new Error(`${file}: not a file`);
  const tooLarge = new Error(`${file}: larger than ${MAX_FILE_BYTES} bytes`);
  if (stats.size > MAX_FILE_BYTES) throw tooLarge;
  const bytes = await handle.readFile();
  // The file may have grown since `stat`.
  if (bytes.length > MAX_FILE_BYTES) throw tooLarge;
  return bytes;
}

async function realPathOf(path: string, name: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (cause) {
    throw new Error(`${name}: no such file`, { cause });
  }
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
