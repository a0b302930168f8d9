import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The superuser can write to read-only files. This starts a program without that privilege, as the same user,
 * so that it can still read a checkout that others may not enter.
 */
const WITHOUT_OVERRIDE = ['setpriv', '--bounding-set=-dac_override', '--'];

/**
 * The command prefix that makes a read-only file read-only for a program. Empty if it already is, and undefined
 * if this is impossible here.
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
