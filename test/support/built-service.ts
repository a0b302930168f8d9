import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';

const ROOT = join(import.meta.dirname, '../..');
const THIS_FILE = 'test/support/built-service.ts';
const SOURCES = [
  'src',
  'scripts/dev.ts',
  'test/chaos/service',
  'tsconfig.json',
  'package-lock.json',
  THIS_FILE,
];
const CACHE = join(ROOT, 'node_modules/.cache/durably-tests');
const FORGET_AFTER_MS = 60 * 60 * 1000;

const OPTIONS = {
  absWorkingDir: ROOT,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  // Otherwise bundling would rename one of two classes with the same name, and errors show class names.
  keepNames: true,
  logLevel: 'warning',
} satisfies BuildOptions;

const WITH_PACKAGES = {
  ...OPTIONS,
  // It loads native code from its own folder.
  external: ['libsql'],
  mainFields: ['module', 'main'],
  banner: {
    js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);",
  },
} satisfies BuildOptions;

const CHAOS_JOBS: Plugin = {
  name: 'chaos jobs',
  setup: ({ onResolve }) => {
    onResolve({ filter: /\/jobs\/index\.ts$/ }, () => ({ path: join(ROOT, 'test/chaos/service/jobs.ts') }));
  },
};

/**
 * The service, compiled into one file per program. Loading hundreds of modules one by one would take a process
 * more than twice as long. test/docs and `npm run check -- package` test `npm start`, dist/ and the package as
 * users run them.
 */
export interface BuiltService {
  /** The service with its own jobs. */
  readonly entry: string;
  /** The program that `npm run dev` runs. */
  readonly dev: string;
  /** The library, which imports its packages as usual. */
  readonly library: string;
  /** The service with the chaos jobs instead of its own, and the module that is loaded before it. */
  readonly chaos: { readonly entry: string; readonly preload: string };
}

const built = filesIn(join(CACHE, await compileOnce()));

/** The service, compiled once for each state of the sources. */
export function buildService(): BuiltService {
  return built;
}

function filesIn(folder: string): BuiltService {
  return {
    entry: join(folder, 'entry.js'),
    dev: join(folder, 'dev.js'),
    library: join(folder, 'library.js'),
    chaos: { entry: join(folder, 'chaos.js'), preload: join(folder, 'preload.js') },
  };
}

async function compileOnce(): Promise<string> {
  const name = hashOf(SOURCES.flatMap(listFiles));
  if (existsSync(join(CACHE, name))) return name;
  forgetOldBuilds();
  const draft = join(CACHE, `draft-${randomUUID()}`);
  await compile(draft);
  try {
    renameSync(draft, join(CACHE, name));
  } catch (error) {
    // Another process was faster.
    if (!existsSync(join(CACHE, name))) throw error;
    rmSync(draft, { recursive: true });
  }
  return name;
}

async function compile(outdir: string): Promise<void> {
  const entry = 'src/entry/node.ts';
  const preload = 'test/chaos/service/preload.ts';
  await Promise.all([
    build({ ...WITH_PACKAGES, outdir, entryPoints: { entry, dev: 'scripts/dev.ts' } }),
    build({ ...WITH_PACKAGES, outdir, entryPoints: { chaos: entry, preload }, plugins: [CHAOS_JOBS] }),
    build({ ...OPTIONS, outdir, entryPoints: { library: 'src/index.ts' }, packages: 'external' }),
  ]);
  writeFileSync(join(outdir, 'package.json'), '{ "type": "module" }');
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
