import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, vi } from 'vitest';
import { temporaryFolder } from '../app/temporary.ts';
import { buildPackage } from '../support/built/package.ts';

/** The folder of the built package. */
export const PACKAGE = buildPackage();

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartedCommand {
  readonly process: ChildProcess;
  readonly output: { readonly stdout: string; readonly stderr: string };
  readonly ended: Promise<Ended>;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/** Starts the built command in a process that is killed after the test. */
export function startCommand(args: readonly string[], options?: CommandOptions): StartedCommand {
  return startNode(join(PACKAGE, 'dist/cli.js'), args, options);
}

/** Does the same with another module. */
export function startNode(
  module: string,
  args: readonly string[],
  { cwd = tmpdir(), env = {}, input = '' }: CommandOptions = {},
): StartedCommand {
  const child = spawn(process.execPath, [module, ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, TMPDIR: tmpdir(), ...env },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const ended = once(child, 'close').then(([code]) => ({ code, ...output }));
  return { process: child, output, ended };
}

/** Runs the built command to its end. */
export async function run(args: readonly string[], options?: CommandOptions): Promise<Ended> {
  return await startCommand(args, options).ended;
}

const JOBS = `
import { defineJob, NonRetryableError } from 'durably';
import { z } from 'zod';

enum Tone { Loud = 'loud' }
const start: number = await Promise.resolve(1);

export const greet = defineJob({
  name: 'greet',
  input: z.object({ name: z.string() }),
  run: async (step, { name }) => {
    step.progress(start, 2, 'composing');
    const text = await step.run('compose', () => \`Hello \${name}\`);
    step.log.info('composed', { text });
    step.log.warn('done \\u001b[31m', { tone: Tone.Loud });
    return { text };
  },
});
export const fail = defineJob({
  name: 'fail',
  input: z.object({}),
  retries: 5,
  run: (step) => step.run('try', () => { throw new NonRetryableError('no luck'); }),
});
export const ask = defineJob({ name: 'ask', input: z.object({}), run: (step) => step.waitForSignal('go') });
export const parent = defineJob({
  name: 'parent',
  input: z.object({}),
  run: (step) => step.invoke('child', greet, { name: 'Eve' }),
});
`;

/** A service that `durably serve` runs with a module of jobs, in a folder without packages. */
export interface Served {
  readonly folder: string;
  readonly url: string;
  readonly served: StartedCommand;
  /** Runs a command that calls the service. */
  readonly durably: (args: readonly string[], options?: CommandOptions) => Promise<Ended>;
}

export async function serve(env: Readonly<Record<string, string>> = {}): Promise<Served> {
  const folder = await temporaryFolder();
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'jobs.ts'), JOBS);
  const served = startCommand(['serve', 'jobs.ts', '--port', '0', '--database', 'jobs.db'], {
    cwd: folder,
    env: { DURABLY_POLLING_INTERVAL_MS: '50', ...env },
  });
  const url = `${await listening(served)}/api/durably`;
  const durably: Served['durably'] = async (args, options) =>
    await run(args, { cwd: folder, ...options, env: { DURABLY_URL: url, ...options?.env } });
  return { folder, url, served, durably };
}

/** The address of a service that was started, when it listens. */
export async function listening({ ended, output }: StartedCommand): Promise<string> {
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  const address = () => /listening on (http:\/\/\S+)/.exec(output.stdout)?.[1];
  const told = () => expect(address() !== undefined || hasEnded).toBe(true);
  await vi.waitFor(told, { timeout: 60_000, interval: 10 });
  return address() ?? expect.fail(output.stderr);
}
