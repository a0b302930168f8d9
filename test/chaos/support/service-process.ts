import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { pathToFileURL } from 'node:url';
import { buildService } from '../../support/built/service.ts';
import type { Measurement } from '../service/preload.ts';
import { eventually } from './eventually.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SpawnOptions {
  readonly env: Readonly<Record<string, string>>;
  /** Shell commands to run before the service, such as limits. */
  readonly prelude?: string | undefined;
  /** A program and arguments that start the service. */
  readonly launcher?: readonly string[] | undefined;
}

export interface WorkerError {
  readonly context: string;
  readonly runId: string | undefined;
  readonly error: string;
}

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** What a line of the log holds, as far as tests look at it. */
interface LoggedEntry {
  readonly msg: string;
  readonly context?: string;
  readonly runId?: string;
  readonly error?: string;
}

/** The last line may be cut off. */
function parsed(line: string): LoggedEntry[] {
  try {
    return [JSON.parse(line) as LoggedEntry];
  } catch {
    return [];
  }
}

/** One process of the service, which can be killed, stopped and measured. */
export class ServiceProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly exited: Promise<Exit>;
  #log = '';
  #url: string | undefined;
  #exit: Exit | undefined;
  #questions = 0;

  constructor(name: string, { env, prelude, launcher = [] }: SpawnOptions) {
    this.name = name;
    const { preload, entry } = buildService().chaos;
    const node = [process.execPath, '--expose-gc', '--import', pathToFileURL(preload).href, entry];
    const command = [...launcher, ...node];
    const [file, ...args] =
      prelude === undefined ? command : ['sh', '-c', `${prelude}; exec "$@"`, 'sh', ...command];
    this.#child = spawn(file ?? '', args, {
      env: { PATH: process.env.PATH, TMPDIR: tmpdir(), HOST: '127.0.0.1', PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const child = this.#child;
    alive.add(child);
    // Writing to a killed process may fail, which is not an error.
    child.on('error', () => undefined);
    for (const output of [child.stdout, child.stderr]) {
      output?.setEncoding('utf8').on('data', (text: string) => {
        this.#log += text;
      });
    }
    this.exited = once(child, 'close').then(([code, signal]) => {
      alive.delete(child);
      this.#exit = { code, signal };
      return this.#exit;
    });
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.name} was not started`);
    return pid;
  }

  /** The output so far. */
  get log(): string {
    return this.#log;
  }

  /** The errors that its worker reported. */
  get workerErrors(): WorkerError[] {
    const failed = this.entries.filter(({ msg }) => msg === 'worker failed');
    return failed.map(({ context = '', runId, error = '' }) => ({ context, runId, error }));
  }

  /** The lines of its log. What else it writes is left out. */
  get entries(): readonly LoggedEntry[] {
    return this.#log
      .split('\n')
      .flatMap((line) => (line.startsWith('{') ? [parsed(line)] : []))
      .flat();
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The address, or undefined until it listens. Asked for with each request, and a log may be long. */
  get url(): string | undefined {
    this.#url ??= /listening on (http:\S+)/.exec(this.#log)?.[1];
    return this.#url;
  }

  /** Resolves with its URL when it listens. */
  async listening(): Promise<string> {
    await eventually(`${this.name} to listen`, () => this.url ?? this.#exit);
    if (this.url === undefined) throw new Error(`${this.name} ended instead of listening:\n${this.#log}`);
    return this.url;
  }

  /** Kills the process, which gets no chance to finish anything. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }

  /** Resolves when it has ended by itself or by a signal. */
  async ended(): Promise<Exit> {
    return await eventually(`${this.name} to end`, () => this.#exit);
  }

  signal(signal: 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  /** Resolves when the kernel reports it as stopped. */
  async stopped(): Promise<void> {
    const { readFile } = await import('node:fs/promises');
    await eventually(`${this.name} to be stopped`, async () => {
      const stat = await readFile(`/proc/${this.pid}/stat`, 'utf8');
      return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
    });
  }

  /** Measurements since the last call. */
  async measure(): Promise<Measurement> {
    const id = ++this.#questions;
    return await new Promise((resolve, reject) => {
      const onAnswer = (answer: unknown) => {
        const measurement = answer as Measurement & { id: number };
        if (measurement.id !== id) return;
        this.#child.off('message', onAnswer);
        resolve(measurement);
      };
      this.#child.on('message', onAnswer);
      void this.exited.then(() => reject(new Error(`${this.name} ended`)));
      this.#child.send({ id });
    });
  }
}
