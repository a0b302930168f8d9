import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, vi } from 'vitest';
import { buildService } from '../built/service.ts';

const ROOT = join(import.meta.dirname, '../../..');

/** Longer than a loaded machine needs, and shorter than a lease takes to become stale. */
export const eventually = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 10_000 });

export interface SpawnedService {
  readonly process: ChildProcess;
  /** The output so far. */
  readonly output: { readonly stdout: string; readonly stderr: string };
  /** Resolves with the exit code or signal. */
  readonly exit: Promise<{ code: number | null; signal: string | null }>;
  /** Resolves with its URL when it listens. */
  listening(): Promise<string>;
}

/**
 * Starts the service in a process that is killed after the test.
 *
 * @param launcher a command, with its arguments, that starts another one.
 */
export function spawnService(
  env: Readonly<Record<string, string>>,
  { script = buildService().entry, launcher = [] }: { script?: string; launcher?: readonly string[] } = {},
): SpawnedService {
  const [file = '', ...args] = [...launcher, process.execPath, script];
  const child = spawn(file, args, {
    cwd: ROOT,
    env: { PATH: process.env.PATH, TMPDIR: tmpdir(), PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  let hasEnded = false;
  const exit = once(child, 'close').then(([code, signal]) => {
    hasEnded = true;
    return { code, signal };
  });
  const listening = async () => {
    const url = () => /listening on (http:\/\/\S+)/.exec(output.stdout)?.[1];
    const told = () => expect(url() !== undefined || hasEnded).toBe(true);
    await vi.waitFor(told, { timeout: 25_000, interval: 10 });
    return url() ?? expect.fail(`the service did not start: ${output.stderr}`);
  };
  return { process: child, output, exit, listening };
}

/** The exit and the error output of a start that is expected to fail. */
export async function failedStart(
  env: Readonly<Record<string, string>>,
  launcher: readonly string[] = [],
): Promise<{ code: number | null; signal: string | null; stderr: string }> {
  const { exit, output } = spawnService(env, { launcher });
  return { ...(await exit), stderr: output.stderr };
}
