import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The superuser writes to files whatever their modes say. This starts a program
 * without that privilege, as the same user: a checkout that others may not enter
 * is still read.
 */
const WITHOUT_OVERRIDE = ['setpriv', '--bounding-set=-dac_override', '--'];

/**
 * What to start a program with, so that a read-only file is read-only to it:
 * nothing, where it is already. Undefined if it can't be done here.
 */
export function launcherBelowModes(folder: string): readonly string[] | undefined {
  const probe = join(folder, 'read-only');
  writeFileSync(probe, '');
  chmodSync(probe, 0o444);
  try {
    if (!isWritable(probe)) return [];
    const script = `require('node:fs').openSync(${JSON.stringify(probe)}, 'r+')`;
    const [file = '', ...args] = [...WITHOUT_OVERRIDE, process.execPath, '-e', script];
    const { status, stderr } = spawnSync(file, args, { encoding: 'utf8' });
    return status !== 0 && stderr?.includes('EACCES') ? WITHOUT_OVERRIDE : undefined;
  } finally {
    rmSync(probe);
  }
}

function isWritable(path: string): boolean {
  try {
    closeSync(openSync(path, 'r+'));
    return true;
  } catch {
    return false;
  }
}
