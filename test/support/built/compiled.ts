import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { ROOT } from './builds.ts';

/** Leaves packages where they are, and compiles everything else into one file. */
export const OPTIONS = {
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
  format: 'cjs',
  // It loads native code from its own folder.
  external: ['libsql'],
  mainFields: ['module', 'main'],
} satisfies BuildOptions;

/**
 * Loads a bundle with the code that V8 compiled from it before. Compiling it anew would take a third of a start. The
 * first process stores the code when it ends, because V8 compiles a function when it is first called.
 */
const loaderOf = (bundle: string, name: string) => `
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
if (cachedData === undefined) process.once('exit', () => writeFileSync(cache, script.createCachedData()));
export const { ${name} } = module.exports;
`;

/**
 * Compiles modules and all packages they need into `<name>.js`, which loads in a fraction of the time that the modules take
 * one by one.
 *
 * {@link storeCode} must follow.
 *
 * @param exported the one value that the file exports.
 */
export async function compileWithPackages({
  outdir,
  name,
  exported,
  ...input
}: {
  readonly outdir: string;
  readonly name: string;
  readonly exported: string;
} & Pick<BuildOptions, 'entryPoints' | 'stdin' | 'plugins' | 'alias'>): Promise<void> {
  await build({ ...WITH_PACKAGES, outfile: join(outdir, `${name}.cjs`), ...input });
  writeFileSync(join(outdir, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(outdir, `${name}.js`), loaderOf(`${name}.cjs`, exported));
}

/**
 * Runs a program until it listens, so that the code of what it imports is stored.
 *
 * @param nodeOptions the options of V8 under which programs will run. The code is used under the same alone.
 */
export async function storeCode(
  program: string,
  { env, nodeOptions = [] }: { env: Readonly<Record<string, string>>; nodeOptions?: readonly string[] },
): Promise<void> {
  const child = spawn(process.execPath, [...nodeOptions, program], {
    env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (text.includes('listening on')) child.kill('SIGTERM');
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${program} ended with ${code}`);
}
