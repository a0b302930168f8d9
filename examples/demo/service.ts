import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';

const READY_LIMIT_MS = 30_000;

/** The service in its own process, which can be killed and started again. */
export class ServiceProcess {
  readonly url: string;
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #log = '';

  private constructor(port: number, env: Readonly<Record<string, string>>) {
    this.url = `http://127.0.0.1:${port}`;
    this.#env = { ...process.env, ...env, HOST: '127.0.0.1', PORT: String(port) };
  }

  /** `env` configures the service. It listens on a free port of this machine. */
  static async create(env: Readonly<Record<string, string>>): Promise<ServiceProcess> {
    return new ServiceProcess(await findFreePort(), env);
  }

  /** The output so far. */
  get log(): string {
    return this.#log;
  }

  /** Resolves with the process id when the service prints that it is ready. */
  async start(): Promise<number> {
    // Node runs the entry directly, without a wrapper process, so that the signal reaches the service.
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/entry/node.ts'], {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    for (const output of [child.stdout, child.stderr]) {
      output.on('data', (chunk: Buffer) => {
        this.#log += chunk.toString();
      });
    }
    const giveUpAt = performance.now() + READY_LIMIT_MS;
    while (!(await this.#isReady())) {
      if (child.exitCode !== null) throw new Error(`the service ended with exit code ${child.exitCode}`);
      if (performance.now() > giveUpAt) throw new Error(`the service was not ready in ${READY_LIMIT_MS} ms`);
      await setTimeout(50);
    }
    return child.pid ?? 0;
  }

  /** Kills the process, which gets no chance to finish anything. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async #isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/readyz`)).ok;
    } catch {
      return false;
    }
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
