import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './builds.ts';

const SOURCES = ['src', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];
const CACHE = join(ROOT, 'node_modules/.cache/durably-package');
const FORGET_AFTER_MS = 60 * 60 * 1000;

/** The folder of the package as it is published: dist/ and package.json. It is compiled once for each state of the sources. */
export function buildPackage(): string {
  const folder = join(CACHE, stateOfSources());
  if (existsSync(folder)) return folder;
  forgetOldBuilds();
  const draft = join(CACHE, `draft-${randomUUID()}`);
  mkdirSync(draft, { recursive: true });
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(draft, 'dist')];
  execFileSync(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
  copyFileSync(join(ROOT, 'package.json'), join(draft, 'package.json'));
  try {
    renameSync(draft, folder);
  } catch (error) {
    // Another process was faster.
    if (!existsSync(folder)) throw error;
    rmSync(draft, { recursive: true });
  }
  return folder;
}

/** A change of any file makes another build. */
function stateOfSources(): string {
  const hash = createHash('sha256');
  for (const path of SOURCES.flatMap(filesIn)) hash.update(path).update(readFileSync(join(ROOT, path)));
  return hash.digest('hex').slice(0, 16);
}

function filesIn(path: string): string[] {
  if (statSync(join(ROOT, path)).isFile()) return [path];
  return readdirSync(join(ROOT, path))
    .sort()
    .flatMap((name) => filesIn(join(path, name)));
}

function forgetOldBuilds(): void {
  if (!existsSync(CACHE)) return;
  for (const name of readdirSync(CACHE)) {
    const folder = join(CACHE, name);
    if (Date.now() - statSync(folder).mtimeMs > FORGET_AFTER_MS)
      rmSync(folder, { recursive: true, force: true });
  }
}
