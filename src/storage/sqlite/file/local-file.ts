import { access, constants, lstat, mkdir, open, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorMessage } from '../../../core/errors/error-text.ts';

/** Creates a folder and its parents. Node's recursive `mkdir` never ends where none can be created, as in Linux's `/proc`. */
export async function makeFolder(path: string): Promise<void> {
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
 * The path of a file without symbolic links. SQLite puts its other files beside the target of a link, and a link may lead to
 * another file later.
 */
export async function realPath(path: string): Promise<string> {
  const folder = dirname(path);
  if (!(await stat(folder)).isDirectory()) throw new Error(`${folder} is a file, not a folder`);
  try {
    return await realpath(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw new Error(faultOf(error), { cause: error });
  }
  const isLink = await lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
  if (isLink) throw new Error(`it is a symbolic link to ${await readlink(path)}, which does not exist`);
  return join(await realpath(folder), basename(path));
}

const FAULTS: Readonly<Record<string, string>> = {
  ELOOP: 'it is a symbolic link that leads back to itself',
  ENAMETOOLONG: 'its name is too long, with the files that SQLite puts beside it',
  ENOTDIR: 'a part of its path is a file, not a folder',
};

/** Why a file can't be used, if it is not for its rights. */
function faultOf(error: unknown): string {
  const code = codeOf(error);
  const fault = code === undefined ? undefined : FAULTS[code];
  return fault === undefined ? errorMessage(error) : `${fault} (${code})`;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/**
 * Checks that a file can be written. SQLite opens a read-only file without an error and refuses the
 * first write. For a file that it cannot open, it only reports a number.
 */
export async function checkWritable(path: string): Promise<void> {
  const folder = dirname(path);
  const file = await stat(path).catch(() => undefined);
  if (file?.isDirectory()) throw new Error('it is a folder, not a file');
  // Opening a pipe would wait for its other end.
  if (file?.isFile() === false) throw new Error('it is a pipe or a device, not a file');
  // SQLite creates other files beside this one.
  await refuseUnlessWritable(folder, `its folder ${folder} is not writable`);
  for (const each of [path, `${path}-wal`, `${path}-shm`, `${path}-journal`]) {
    await refuseUnlessWritable(each, `${each === path ? 'the file' : each} is read-only`);
  }
}

async function refuseUnlessWritable(path: string, refusal: string): Promise<void> {
  await access(path, constants.R_OK | constants.W_OK).catch((error: unknown) => {
    const code = codeOf(error);
    if (code === 'ENOENT') return;
    const isRefused = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
    throw new Error(isRefused ? `${refusal} (${code})` : faultOf(error), { cause: error });
  });
}

/**
 * Checks that a file was not cut short. SQLite reads missing pages as empty, and reports an error
 * only when it reaches one. While a log has writes that are not in the file yet, the length proves
 * nothing. The header is described at https://www.sqlite.org/fileformat.html#the_database_header
 */
export async function checkLength(path: string): Promise<void> {
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
