import { spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const PROJECT = 'test/support/built-service.tsconfig.json';
const SOURCES = ['src', 'scripts/dev.ts', 'test/chaos/service', 'tsconfig.json', PROJECT];
const CACHE = join(ROOT, 'node_modules/.cache/durably-tests');
const FORGET_AFTER_MS = 60 * 60 * 1000;

/** The service compiled: started from its sources, a process needs three times as long. */
export interface BuiltService {
  /** The service with its own jobs. */
  readonly entry: string;
  /** What `npm run dev` runs. */
  readonly dev: string;
  /** The library. */
  readonly library: string;
  /** The service with the chaos jobs in the place of its own, and what is loaded before it. */
  readonly chaos: { readonly entry: string; readonly preload: string };
}

let built: BuiltService | undefined;

/** Compiles the service, once for each state of the sources. */
export function buildService(): BuiltService {
  built ??= filesIn(join(CACHE, compileOnce()));
  return built;
}

function filesIn(folder: string): BuiltService {
  return {
    entry: join(folder, 'plain/src/entry/node.js'),
    dev: join(folder, 'plain/scripts/dev.js'),
    library: join(folder, 'plain/src/index.js'),
    chaos: {
      entry: join(folder, 'chaos/src/entry/node.js'),
      preload: join(folder, 'chaos/test/chaos/service/preload.js'),
    },
  };
}

function compileOnce(): string {
  const name = hashOf(SOURCES.flatMap(listFiles));
  if (existsSync(join(CACHE, name))) return name;
  forgetOldBuilds();
  const draft = join(CACHE, `draft-${randomUUID()}`);
  compile(join(draft, 'plain'));
  cpSync(join(draft, 'plain'), join(draft, 'chaos'), { recursive: true });
  const jobs = "export { createJobs } from '../../test/chaos/service/jobs.js';\n";
  writeFileSync(join(draft, 'chaos/src/jobs/index.js'), jobs);
  try {
    renameSync(draft, join(CACHE, name));
  } catch (error) {
    // Another process was faster.
    if (!existsSync(join(CACHE, name))) throw error;
    rmSync(draft, { recursive: true });
  }
  return name;
}

function compile(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const tsc = join(ROOT, 'node_modules/.bin/tsc');
  const { status, stdout, stderr, error } = spawnSync(tsc, ['-p', join(ROOT, PROJECT), '--outDir', folder], {
    encoding: 'utf8',
  });
  if (status !== 0) throw error ?? new Error(`the service does not compile:\n${stdout}${stderr}`);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
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
