import { spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
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

const ROOT = join(import.meta.dirname, '../../..');
const CACHE = join(ROOT, 'node_modules/.cache/durably-chaos');
const FORGET_AFTER_MS = 60 * 60 * 1000;

export interface BuiltService {
  /** Loaded before the entry. */
  readonly preload: string;
  readonly entry: string;
}

let built: BuiltService | undefined;

/**
 * Compiles the service, `src/entry/node.ts` and all that it imports, with the
 * chaos jobs in the place of the shipped ones. Once for each state of the
 * sources: many processes are started, and starting from sources takes thrice
 * the time.
 */
export function buildService(): BuiltService {
  built ??= filesIn(join(CACHE, compileOnce()));
  return built;
}

function filesIn(folder: string): BuiltService {
  return {
    preload: join(folder, 'test/chaos/service/preload.js'),
    entry: join(folder, 'src/entry/node.js'),
  };
}

function compileOnce(): string {
  const name = hashOf(['src', 'test/chaos/service', 'tsconfig.json'].flatMap(listFiles));
  if (existsSync(join(CACHE, name))) return name;
  forgetOldBuilds();
  const draft = join(CACHE, `draft-${randomUUID()}`);
  compile(draft);
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
  const project = join(ROOT, 'test/chaos/service/tsconfig.json');
  const { status, stdout, stderr, error } = spawnSync(tsc, ['-p', project, '--outDir', folder], {
    encoding: 'utf8',
  });
  if (status !== 0) throw error ?? new Error(`the service does not compile:\n${stdout}${stderr}`);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const jobs = "export { createJobs } from '../../test/chaos/service/jobs.js';\n";
  writeFileSync(join(folder, 'src/jobs/index.js'), jobs);
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
