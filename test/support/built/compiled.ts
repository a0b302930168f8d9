import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
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

/** Loads a bundle with the code that V8 compiled from it before. Compiling it anew would take a quarter of a start. */
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
if (cachedData === undefined) writeFileSync(cache, script.createCachedData());
export const { ${name} } = module.exports;
`;

/**
 * Compiles modules and all packages they need into `<name>.js`, which loads in a fraction of the time that the modules take
 * one by one.
 *
 * @param exported the one value that the file exports.
 * @param nodeOptions the options of V8 under which the file will be loaded. The compiled code is used under the same alone.
 */
export async function compileWithPackages({
  outdir,
  name,
  exported,
  nodeOptions = [],
  ...input
}: {
  readonly outdir: string;
  readonly name: string;
  readonly exported: string;
  readonly nodeOptions?: readonly string[];
} & Pick<BuildOptions, 'entryPoints' | 'stdin' | 'plugins' | 'alias'>): Promise<void> {
  await build({ ...WITH_PACKAGES, outfile: join(outdir, `${name}.cjs`), ...input });
  writeFileSync(join(outdir, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(outdir, `${name}.js`), loaderOf(`${name}.cjs`, exported));
  await promisify(execFile)(process.execPath, [...nodeOptions, join(outdir, `${name}.js`)]);
}
