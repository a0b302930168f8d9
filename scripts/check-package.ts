/**
 * Packs the package, unpacks it into an empty project that has its
 * dependencies and nothing else, type-checks the documented example there and
 * runs a job through every door.
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
// What a TypeScript project on Node has besides.
const { dependencies, peerDependencies } = manifest;
const linked = [
  ...Object.keys({ ...dependencies, ...peerDependencies }),
  '@types/node',
  'undici-types',
  'typescript',
];

const project = mkdtempSync(join(tmpdir(), 'durably-package-'));
try {
  installPacked(project);
  prepareProject(project);
  const inProject = { cwd: project, stdio: 'inherit' } as const;
  execFileSync(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.'], inProject);
  execFileSync(process.execPath, ['out/doors.js'], inProject);
  console.log('the packed package type-checks and runs');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(project, { recursive: true });
}

function installPacked(folder: string): void {
  const pack = ['pack', '--silent', '--pack-destination', folder];
  // Packing builds first, by the `prepack` script.
  execFileSync('npm', pack, { stdio: ['ignore', 'ignore', 'inherit'], shell: process.platform === 'win32' });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack made no tarball');
  const target = join(folder, 'node_modules', 'durably');
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, tarball), '-C', target, '--strip-components=1']);
}

function prepareProject(folder: string): void {
  for (const name of linked) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(resolve('node_modules', name), link, 'junction');
  }
  cpSync(samples, folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'sample', private: true, type: 'module' }),
  );
  const compilerOptions = {
    target: 'es2023',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    rootDir: '.',
    outDir: 'out',
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
}
