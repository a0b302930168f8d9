import { onTestFinished, vi } from 'vitest';
import { runCommand } from '../../src/cli/program.ts';
import { startInProcess } from '../client/service.ts';
import { deferred } from '../support/until.ts';
import type { Ended } from './command.ts';

type Output = 'stdout' | 'stderr';

/** A service in this process, and the command `durably` that calls it from here. */
export async function serveInProcess() {
  const service = await startInProcess();
  vi.stubGlobal('fetch', service.fetchFromApp);
  vi.stubEnv('DURABLY_URL', 'http://localhost:3000/api/durably');
  onTestFinished(() => {
    vi.unstubAllGlobals();
    vi.unstubAllEnvs();
  });
  return { ...service, durably };
}

/**
 * Runs a command in this process. Only one may run at a time, because its output is the process's.
 *
 * @param fault the code of the error that each write to the standard output meets.
 */
async function durably(args: readonly string[], fault?: string): Promise<Ended> {
  const output = { stdout: '', stderr: '' };
  const kept = (['stdout', 'stderr'] as const).map((name) => capture(name, output));
  if (fault !== undefined) {
    vi.mocked(process.stdout.write).mockImplementation(() => {
      queueMicrotask(() =>
        process.stdout.emit('error', Object.assign(new Error(`${fault}: no`), { code: fault })),
      );
      return false;
    });
  }
  const exited = deferred<number>();
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    exited.resolve(Number(code));
    // What follows is not reached in a process.
    return new Promise(() => undefined) as never;
  });
  try {
    const code = await Promise.race([exited.promise, runCommand(args)]);
    return { code, ...output };
  } finally {
    vi.mocked(process.exit).mockRestore();
    for (const restore of kept) restore();
  }
}

function capture(name: Output, output: Record<Output, string>): () => void {
  const stream = process[name];
  const listeners = stream.listeners('error');
  const write = vi.spyOn(stream, 'write').mockImplementation((text) => {
    output[name] += String(text);
    return true;
  });
  return () => {
    write.mockRestore();
    for (const listener of stream.listeners('error')) {
      if (!listeners.includes(listener)) stream.off('error', listener as () => void);
    }
  };
}
