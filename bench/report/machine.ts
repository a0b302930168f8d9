import { execFileSync } from 'node:child_process';
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';

/** Describes the machine on which the figures were measured. */
export function describeMachine(folder: string): string[] {
  return [
    `Machine: ${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GB`,
    `System: ${type()} ${release()}, Node ${process.version}, at most ${openFiles()} open files`,
    `Load average (1, 5, 15 minutes): ${loadAverage()}`,
    `Disk: an append of 4 KB and its fsync take ${fsyncMs(folder).toFixed(2)} ms (median of 100)`,
    `Revision: ${revision()}`,
  ];
}

export function loadAverage(): string {
  return loadavg()
    .map((load) => load.toFixed(2))
    .join(', ');
}

/**
 * The time of an fsync, which every commit at FULL waits for. On a slow disk, contenders that commit less often
 * gain.
 */
function fsyncMs(folder: string): number {
  const file = openSync(join(folder, 'fsync'), 'w');
  const page = Buffer.alloc(4096);
  const times = Array.from({ length: 100 }, () => {
    const start = performance.now();
    writeSync(file, page);
    fsyncSync(file);
    return performance.now() - start;
  });
  closeSync(file);
  return times.sort((a, b) => a - b)[50] ?? Number.NaN;
}

function openFiles(): string {
  try {
    return /Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

function revision(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const isChanged = git('status', '--porcelain', '--', '../src', '.') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${isChanged ? ', with changes' : ''}`;
  } catch {
    return 'unknown';
  }
}
