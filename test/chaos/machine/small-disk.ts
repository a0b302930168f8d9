import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceProcess } from '../support/service-process.ts';

/** Enough for a few triggers. */
const LEFT_BYTES = 300_000;

/** A disk that can be filled up and freed again. */
export interface SmallDisk {
  readonly kind: string;
  fill(service: ServiceProcess): void;
  free(service: ServiceProcess): void;
  remove(): void;
}

/** A separate file system if that is permitted, otherwise a limit on the size of files. */
export function createSmallDisk(folder: string): SmallDisk {
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return limitedFiles;
  }
  const ballast = join(folder, 'ballast');
  return {
    kind: 'a full file system',
    fill() {
      const { bavail, bsize } = statfsSync(folder);
      writeFileSync(ballast, Buffer.alloc(bavail * bsize - LEFT_BYTES));
    },
    free: () => rmSync(ballast),
    remove: () => execFileSync('umount', ['-l', folder]),
  };
}

const limitedFiles: SmallDisk = {
  kind: 'a limit to the size of files',
  fill: ({ pid }) => limitFiles(pid, String(2 * LEFT_BYTES)),
  free: ({ pid }) => limitFiles(pid, 'unlimited'),
  remove: () => undefined,
};

function limitFiles(pid: number, bytes: string): void {
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`]);
}
