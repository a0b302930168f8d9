import { access, constants, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

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
 * Checks that a file can be written. SQLite opens a read-only file without an error and refuses the
 * first write. For a file that it cannot open, it only reports a number.
 */
export async function checkWritable(path: string): Promise<void> {
  const folder = dirname(path);
  if (!(await stat(folder)).isDirectory()) throw new Error(`${folder} is a file, not a folder`);
  const file = await stat(path).catch(() => undefined);
  if (file?.isDirectory()) throw new Error('it is a folder, not a file');
  // SQLite creates other files beside this one.
  await refuseUnlessWritable(folder, `its folder ${folder} is not writable`);
  for (const each of [path, `${path}-wal`, `${path}-shm`, `${path}-journal`]) {
    await refuseUnlessWritable(each, `${each === path ? 'the file' : each} is read-only`);
  }
}

async function refuseUnlessWritable(path: string, refusal: string): Promise<void> {
  await access(path, constants.R_OK | constants.W_OK).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return;
    throw new Error(`${refusal} (${error.code})`, { cause: error });
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
