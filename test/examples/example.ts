import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { onTestFinished, vi } from 'vitest';
import { Console, exchangesOf } from '../docs/console.ts';
import { blocksOf, ROOT } from '../docs/markdown.ts';

const STARTS_WITHIN_MS = 60_000;
/** As in test/support/built-service.ts, errors keep the names of their classes. */
const FOR_NODE = { platform: 'node', target: 'node20', packages: 'external', keepNames: true } as const;

/** A folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'durably-example-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

export interface ExampleProcess {
  readonly url: string;
  /** What it has printed so far. */
  readonly output: () => string;
  /** Sends a signal, waits for the end, and returns how the process ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<readonly [code: number | null, signal: string | null]>;
}

/**
 * Starts `main.ts` of an example, on any free port unless given, with its data in a folder of the test's. It is compiled first.
 * Readers start it with `npx tsx`, which loads the sources one by one and takes seconds on a busy
 * machine.
 */
export async function startExample(
  name: string,
  { data, port = 0 }: { data: string; port?: number },
): Promise<ExampleProcess> {
  const child = spawn(process.execPath, [await compile(name)], {
    cwd: join(ROOT, 'examples', name),
    env: { PATH: process.env.PATH, TMPDIR: tmpdir(), PORT: String(port), DATA: data },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close') as Promise<[number | null, string | null]>;
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  const output = collectOutput(child);
  const url = await vi.waitUntil(
    () => {
      if (child.exitCode !== null) throw new Error(`${name} ended:\n${output()}`);
      return /listening on (http:\S+)/.exec(output())?.[1];
    },
    { timeout: STARTS_WITHIN_MS, interval: 20 },
  );
  return {
    url,
    output,
    end(signal) {
      child.kill(signal);
      return closed;
    },
  };
}

/**
 * Compiles the program into one file. The file is in the repository, where it finds the packages
 * that it imports.
 */
async function compile(name: string): Promise<string> {
  const cache = join(ROOT, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'durably-example-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, 'main.mjs');
  const entry = join(ROOT, 'examples', name, 'main.ts');
  await build({ entryPoints: [entry], outfile, bundle: true, format: 'esm', ...FOR_NODE });
  return outfile;
}

function collectOutput({ stdout, stderr }: ChildProcess): () => string {
  let output = '';
  for (const stream of [stdout, stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return () => output;
}

/**
 * Runs the curl lines of an example's README and returns how many there were. The first block of shell commands
 * starts the program. At each further one `restart` is called, which starts it again at the same address.
 */
export async function runReadme(
  name: string,
  url: string,
  { restart }: { restart?: () => Promise<void> } = {},
): Promise<number> {
  const path = `examples/${name}/README.md`;
  const reader = new Console({ folder: temporaryFolder(), url });
  const blocks = blocksOf({ path, text: readFileSync(join(ROOT, path), 'utf8') });
  const [, ...restarts] = blocks.filter(({ language }) => language === 'sh');
  if (restarts.length > 0 && restart === undefined) throw new Error(`${path} starts the program again`);
  let count = 0;
  for (const block of blocks) {
    if (restarts.includes(block)) await restart?.();
    if (block.language !== 'console') continue;
    for (const exchange of exchangesOf(block)) await reader.run(exchange);
    count += exchangesOf(block).length;
  }
  return count;
}
