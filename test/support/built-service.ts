import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
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
} satisfies BuildOptions;

/** What the programs import and all of its packages. Compiling it anew would take a quarter of each start. */
const SERVICE = 'src/entry/node/run.ts';

/** Loads a bundle of {@link SERVICE} with the code that V8 compiled from it before. */
const loaderOf = (bundle: string) => `
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const filename = fileURLToPath(new URL(${JSON.stringify(bundle)}, import.meta.url));
const cache = filename + '.cache';
const cachedData = existsSync(cache) ? readFileSync(cache) : undefined;
const source = '(module, exports, require) => {' + readFileSync(filename, 'utf8') + '\\n}';
const script = new Script(source, { filename, cachedData });
const module = { exports: {} };
script.runInThisContext()(module, module.exports, createRequire(filename));
if (cachedData === undefined) writeFileSync(cache, script.createCachedData());
export const { runService } = module.exports;
`;

/** Leaves the service out of a program, which imports it from a file beside it. */
const serviceBeside = (file: string): Plugin => ({
  name: 'service beside',
  setup: ({ onResolve }) => {
    onResolve({ filter: /\/node\/run\.ts$/ }, () => ({ path: file, external: true }));
  },
});

const CHAOS_JOBS: Plugin = {
  name: 'chaos jobs',
  setup: ({ onResolve }) => {
    onResolve({ filter: /\/jobs\/index\.ts$/ }, () => ({ path: join(ROOT, 'test/chaos/service/jobs.ts') }));
  },
};

/**
 * The programs of the service, and the service in one file beside them. Loading hundreds of modules one by one would
 * take a process more than twice as long. test/docs and `npm run check -- package` test `npm start`, dist/ and the package as
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
  const programs = (entryPoints: Record<string, string>, service: string) =>
    build({ ...OPTIONS, outdir, entryPoints, plugins: [serviceBeside(`./${service}.js`)] });
  await Promise.all([
    programs({ entry, dev: 'scripts/dev.ts' }, 'service'),
    programs({ chaos: entry, preload }, 'chaos-service'),
    build({ ...OPTIONS, outdir, entryPoints: { library: 'src/index.ts' }, packages: 'external' }),
    buildServiceIn(outdir, { name: 'service' }),
    // The compiled code is used under the same options of V8 alone.
    buildServiceIn(outdir, { name: 'chaos-service', plugins: [CHAOS_JOBS], nodeOptions: ['--expose-gc'] }),
  ]);
}

async function buildServiceIn(
  outdir: string,
  {
    name,
    plugins = [],
    nodeOptions = [],
  }: { readonly name: string; readonly plugins?: Plugin[]; readonly nodeOptions?: readonly string[] },
): Promise<void> {
  const outfile = join(outdir, `${name}.cjs`);
  await build({ ...WITH_PACKAGES, outfile, format: 'cjs', entryPoints: [SERVICE], plugins });
  writeFileSync(join(outdir, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(outdir, `${name}.js`), loaderOf(`${name}.cjs`));
  await promisify(execFile)(process.execPath, [...nodeOptions, join(outdir, `${name}.js`)]);
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
