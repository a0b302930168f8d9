import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WRANGLER, wranglerEnv } from '../../../scripts/wrangler.ts';
import { freePort } from '../../support/net/free-port.ts';

const ROOT = join(import.meta.dirname, '../../..');
const READY_WITHIN_MS = 60_000;

export interface WranglerDev {
  readonly url: string;
  /** The output so far. */
  readonly output: () => string;
  /** Fires the cron event and waits for its end. */
  cron(): Promise<Response>;
  stop(): Promise<void>;
}

/**
 * Runs `wrangler dev` with a wrangler.toml of the repository, and so the Worker in workerd, on a
 * free port. It writes only to a folder that `stop` removes, and needs no network.
 *
 * @param options.folder contains wrangler.toml. Default: the repository.
 * @param options.entry replaces the entry in wrangler.toml.
 * @param options.vars are added to its settings.
 */
export async function startWranglerDev(options: {
  readonly folder?: string;
  readonly entry?: string;
  readonly vars?: Readonly<Record<string, string>>;
}): Promise<WranglerDev> {
  const { folder: cwd = ROOT, entry, vars = {} } = options;
  const folder = mkdtempSync(join(tmpdir(), 'durably-wrangler-'));
  const port = await freePort();
  const args = ['dev', ...(entry === undefined ? [] : [entry]), '--local'];
  args.push('--ip', '127.0.0.1', '--port', String(port), '--inspector-port', '0');
  args.push('--persist-to', join(folder, 'state'), '--show-interactive-dev-session=false');
  for (const [name, value] of Object.entries(vars)) args.push('--var', `${name}:${value}`);
  // Killing wrangler alone would leave its children behind, so the whole group is killed.
  const child = spawn(process.execPath, [WRANGLER, ...args], {
    cwd,
    env: wranglerEnv(folder),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const killGroup = () => kill(child);
  process.once('exit', killGroup);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const stop = async () => {
    process.off('exit', killGroup);
    const exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    killGroup();
    await exited;
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  };
  try {
    await untilReady(child, () => output);
  } catch (error) {
    await stop();
    throw error;
  }
  const url = `http://127.0.0.1:${port}`;
  return { url, output: () => output, cron: () => fetch(`${url}/cdn-cgi/handler/scheduled`), stop };
}

function kill({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

async function untilReady(child: ChildProcess, output: () => string): Promise<void> {
  const start = performance.now();
  while (!output().includes('Ready on http')) {
    const isLate = performance.now() - start > READY_WITHIN_MS;
    if (isLate || child.exitCode !== null) throw new Error(`wrangler dev did not start:\n${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
