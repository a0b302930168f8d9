import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { Console, exchangesOf } from '../docs/console.ts';
import { blocksOf, ROOT } from '../docs/markdown.ts';
import { builtExample } from '../support/built/examples.ts';

const STARTS_WITHIN_MS = 60_000;
/** A folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'durably-example-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

type ExampleName = 'approval' | 'hono-app' | 'nightly-import' | 'streaming-agent';

export interface ExampleProcess {
  readonly url: string;
  /** What it has printed so far. */
  readonly output: () => string;
  /** Sends a signal, waits for the end, and returns how the process ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<readonly [code: number | null, signal: string | null]>;
}

/**
 * Starts `main.ts` of an example, on any free port unless given, with its data in a folder of the test's.
 */
export async function startExample(
  name: ExampleName,
  { data, port = 0 }: { data: string; port?: number },
): Promise<ExampleProcess> {
  const child = spawn(process.execPath, [builtExample(`${name}/main`)], {
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
