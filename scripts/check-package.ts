/**
 * Packs the package and installs it in two empty projects. In the first, with all dependencies, it type-checks
 * the documented example and runs a job through every entry point. In the second, only the package itself can
 * be imported.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const samples = resolve('test/package');
const manifest: Record<'dependencies' | 'peerDependencies', Record<string, string>> = JSON.parse(
  readFileSync('package.json', 'utf8'),
);
const needed = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
// Type packages that a TypeScript project on Node also has.
const linked = [...needed, '@types/node', 'undici-types'];

const folders = [0, 1].map(() => mkdtempSync(join(tmpdir(), 'durably-package-')));
const [project = '', alone = ''] = folders;
try {
  installPacked(project);
  prepareProject(project, { modules: 'node_modules', names: linked, types: ['node'] });
  cpSync(samples, project, { recursive: true });
  run(project, ['doors', 'sqlite-door']);
  execFileSync(process.execPath, [join(project, 'node_modules/durably/dist/cli.js'), '--version']);

  cpSync(join(project, 'node_modules', 'durably'), join(alone, 'node_modules', 'durably'), {
    recursive: true,
  });
  // Strict package managers use this layout: a project can import only what it depends on.
  const modules = join('node_modules', 'durably', 'node_modules');
  prepareProject(alone, { modules, names: needed, types: [] });
  cpSync(join(samples, 'alone'), alone, { recursive: true });
  run(alone, ['app']);
  console.log('the packed package type-checks and runs');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  for (const folder of folders) rmSync(folder, { recursive: true });
}

function installPacked(folder: string): void {
  const pack = ['pack', '--silent', '--pack-destination', folder];
  // The `prepack` script builds first.
  execFileSync('npm', pack, { stdio: ['ignore', 'ignore', 'inherit'], shell: process.platform === 'win32' });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack made no tarball');
  const target = join(folder, 'node_modules', 'durably');
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, tarball), '-C', target, '--strip-components=1']);
}

/** Type-checks a project strictly, and runs some of its files. */
function run(folder: string, names: readonly string[]): void {
  const inFolder = { cwd: folder, stdio: 'inherit' } as const;
  execFileSync(process.execPath, [resolve('node_modules/typescript/bin/tsc'), '-p', '.'], inFolder);
  for (const name of names) execFileSync(process.execPath, [`out/${name}.js`], inFolder);
}

function prepareProject(
  folder: string,
  { modules, names, types }: { modules: string; names: readonly string[]; types: readonly string[] },
): void {
  for (const name of names) {
    const link = join(folder, modules, name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(resolve('node_modules', name), link, 'junction');
  }
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'sample', private: true, type: 'module' }),
  );
  const compilerOptions = {
    target: 'es2023',
    module: 'nodenext',
    types,
    strict: true,
    exactOptionalPropertyTypes: true,
    rootDir: '.',
    outDir: 'out',
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
}
