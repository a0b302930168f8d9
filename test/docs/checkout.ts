import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { blocksOf, fileNameOf, ROOT, readDocument } from './markdown.ts';

const COPIED = ['src', 'scripts', 'migrations', 'package.json', 'tsconfig.json', 'tsconfig.build.json'];

/** A copy of this repository, with the README's first job added as the README says. */
export function makeCheckout(folder: string): void {
  for (const name of COPIED) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  buildOnOneThread(join(folder, 'tsconfig.build.json'));
  cpSync(join(ROOT, 'data/airports.csv'), join(folder, 'data/airports.csv'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction');
  const blocks = blocksOf(readDocument('README.md'));
  for (const block of blocks) {
    const name = fileNameOf(block);
    if (name?.startsWith('src/')) writeFileSync(join(folder, name), `${block.code}\n`);
  }
  for (const { language, code } of blocks) {
    if (language === 'diff') applyTo(join(folder, 'src/jobs/index.ts'), code.split('\n'));
  }
}

/** The compiler's threads repeat much of each other's work: with one, a build takes half of the processor's time. */
function buildOnOneThread(file: string): void {
  const config = JSON.parse(readFileSync(file, 'utf8'));
  config.compilerOptions.singleThreaded = true;
  writeFileSync(file, JSON.stringify(config));
}

/** Adds the `+` lines of a diff below the line that precedes them. */
function applyTo(file: string, diff: readonly string[]): void {
  const lines = readFileSync(file, 'utf8').split('\n');
  let at = -1;
  for (const line of diff) {
    const text = line.slice(1);
    if (line.startsWith('+')) lines.splice(++at, 0, text);
    else {
      at = lines.indexOf(text, at + 1);
      if (at < 0) throw new Error(`the README's diff shows a line that ${file} does not have: ${text}`);
    }
  }
  writeFileSync(file, lines.join('\n'));
}

/** A TypeScript project that has installed durably from a checkout, with the other packages that a user installs. */
export function makeProject(folder: string, checkout: string, packages: readonly string[]): void {
  const modules = join(folder, 'node_modules');
  mkdirSync(modules, { recursive: true });
  symlinkSync(checkout, join(modules, 'durably'), 'junction');
  for (const name of packages) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name), 'junction');
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'a-users', type: 'module' }));
}

export interface RunningService {
  readonly url: string;
  /** Ends the process and everything that it started, at once by default. */
  stop(signal?: 'SIGTERM'): Promise<void>;
}

/** Starts a long-running command of the documentation and waits until it listens. */
export async function startService(
  command: string,
  { cwd, env }: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<RunningService> {
  const child = spawn('sh', ['-c', command], {
    cwd,
    env: { PATH: process.env.PATH ?? '', ...env },
    // A separate process group, so that everything in it can be ended.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  const url = await listeningAt(child.stdout);
  if (url === undefined) throw new Error(`${command}\n${errors}`);
  let stopped: Promise<void> | undefined;
  return {
    url,
    stop(signal) {
      stopped ??= endGroup(child, signal);
      return stopped;
    },
  };
}

/** The address that a service prints when it listens. Undefined if it ends without. */
export async function listeningAt(output: Readable): Promise<string | undefined> {
  for await (const line of createInterface({ input: output })) {
    const url = /listening on (http:\/\/\S+)/.exec(line)?.[1];
    if (url === undefined) continue;
    output.resume();
    return url;
  }
  return undefined;
}

async function endGroup(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null) return;
  const closed = once(child, 'close');
  process.kill(-child.pid, signal);
  await closed;
}
