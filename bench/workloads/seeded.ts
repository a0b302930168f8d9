import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import type { ContenderName } from '../contenders/index.ts';
import { Child } from '../processes/child.ts';
import type { SeededState } from '../protocol.ts';

interface Seeded {
  readonly contender: ContenderName;
  readonly runs: number;
  readonly state: SeededState;
}

/** A database with this many runs, completed unless `state` says otherwise, in the contender's tables. It is made once for all workloads. */
export async function seededFile(
  bench: Bench,
  { contender, runs, state = 'completed' }: Omit<Seeded, 'state'> & Partial<Seeded>,
): Promise<string> {
  const family = contender.replace('-service', '') as ContenderName;
  const key = `${family}-${runs}-${state}`;
  let file = files.get(key);
  if (file === undefined) {
    file = seedFile(bench, { contender: family, runs, state });
    files.set(key, file);
  }
  return await file;
}

/** Seeds in advance, so that no round includes the time for it. */
export async function seedAll(
  bench: Bench,
  contenders: readonly ContenderName[],
  sizes: readonly number[],
  state: SeededState = 'completed',
): Promise<void> {
  for (const contender of contenders) {
    for (const runs of sizes) await seededFile(bench, { contender, runs, state });
  }
}

const files = new Map<string, Promise<string>>();

async function seedFile(bench: Bench, request: Seeded): Promise<string> {
  const file = join(bench.folder, `seeded-${request.contender}-${request.runs}-${request.state}.db`);
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
