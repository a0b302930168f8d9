import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import type { ContenderName } from '../contenders/index.ts';
import { Child } from '../processes/child.ts';

/** A database with this many completed runs in the contender's tables. It is made once for all workloads. */
export async function seededFile(
  bench: Bench,
  { contender, runs }: { contender: ContenderName; runs: number },
): Promise<string> {
  const family = contender.replace('-service', '') as ContenderName;
  const key = `${family}-${runs}`;
  let file = files.get(key);
  if (file === undefined) {
    file = seedFile(bench, { contender: family, runs });
    files.set(key, file);
  }
  return await file;
}

/** Seeds in advance, so that no round includes the time for it. */
export async function seedAll(
  bench: Bench,
  contenders: readonly ContenderName[],
  sizes: readonly number[],
): Promise<void> {
  for (const contender of contenders) for (const runs of sizes) await seededFile(bench, { contender, runs });
}

const files = new Map<string, Promise<string>>();

async function seedFile(bench: Bench, request: { contender: ContenderName; runs: number }): Promise<string> {
  const file = join(bench.folder, `seeded-${request.contender}-${request.runs}.db`);
  const child = new Child();
  try {
    await child.call('seed', { ...request, file });
  } finally {
    child.end();
  }
  return file;
}

/** Makes a copy to write to, and a function that removes it. */
export function copyOf(file: string, { folder, name }: { folder: string; name: string }) {
  const copy = join(folder, name);
  copyFileSync(file, copy);
  return { copy, remove: () => removeDatabase(copy) };
}

function removeDatabase(file: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
}
