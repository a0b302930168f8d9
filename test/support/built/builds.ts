import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../../..');
const CACHE = join(ROOT, 'node_modules/.cache/durably-tests');
const ALWAYS = ['src', 'tsconfig.json', 'package-lock.json', 'test/support/built'];
const FORGET_AFTER_MS = 60 * 60 * 1000;

/**
 * Builds something once for each state of the sources, and returns its folder. The folder is inside of the repository,
 * where a program finds the packages that it imports.
 */
export async function buildOnce({
  sources,
  build,
}: {
  /** Files and folders, besides those of the product. */
  readonly sources: readonly string[];
  readonly build: (outdir: string) => Promise<void>;
}): Promise<string> {
  const folder = join(CACHE, hashOf([...ALWAYS, ...sources].flatMap(listFiles)));
  if (existsSync(folder)) return folder;
  forgetOldBuilds();
  const draft = join(CACHE, `draft-${randomUUID()}`);
  await build(draft);
  try {
    renameSync(draft, folder);
  } catch (error) {
    // Another process was faster.
    if (!existsSync(folder)) throw error;
    rmSync(draft, { recursive: true });
  }
  return folder;
}

function listFiles(path: string): string[] {
  if (statSync(join(ROOT, path)).isFile()) return [path];
  const names = readdirSync(join(ROOT, path), { recursive: true, encoding: 'utf8' });
  return names
    .sort()
    .map((name) => join(path, name))
    .filter((file) => statSync(join(ROOT, file)).isFile());
}

function hashOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(file).update(readFileSync(join(ROOT, file)));
  return hash.digest('hex').slice(0, 16);
}

function forgetOldBuilds(): void {
  if (!existsSync(CACHE)) return;
  for (const name of readdirSync(CACHE)) {
    const folder = join(CACHE, name);
    if (Date.now() - statSync(folder).mtimeMs > FORGET_AFTER_MS)
      rmSync(folder, { recursive: true, force: true });
  }
}
