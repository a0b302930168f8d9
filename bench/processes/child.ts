import { type ChildProcess, fork } from 'node:child_process';
import type { Reply, Request, Roles } from '../protocol.ts';

/** The longest time for one call. A process that has not answered by then is killed. */
const ANSWER_WITHIN_MS = 15 * 60_000;
const STDERR_CHARS = 600;

/** A child process of the benchmark. */
export class Child {
  static readonly #all = new Set<Child>();
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #lastId = 0;
  #stderr = '';
  #ended: string | undefined;

  constructor() {
    this.#process = fork(new URL('../host.js', import.meta.url), [], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    Child.#all.add(this);
    this.#process.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-STDERR_CHARS);
    });
    this.#process.on('message', (reply: Reply) => this.#settle(reply));
    this.#process.on('exit', (code, signal) => {
      Child.#all.delete(this);
      this.#ended = `the process ended with ${signal ?? `exit code ${code}`} ${this.#stderr}`.trim();
      for (const { reject } of this.#waiting.values()) reject(new Error(this.#ended));
      this.#waiting.clear();
    });
  }

  static endAll(): void {
    for (const child of Child.#all) child.end();
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  async call<R extends keyof Roles>(
    role: R,
    ...args: Parameters<Roles[R]>
  ): Promise<Awaited<ReturnType<Roles[R]>>> {
    if (this.#ended !== undefined) throw new Error(this.#ended);
    const id = ++this.#lastId;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    const timer = setTimeout(() => this.end(), ANSWER_WITHIN_MS);
    this.#process.send({ id, role, args } satisfies Request);
    try {
      return (await answer) as Awaited<ReturnType<Roles[R]>>;
    } finally {
      clearTimeout(timer);
    }
  }

  end(): void {
    this.#process.kill('SIGKILL');
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.ok) waiting?.resolve(reply.value);
    else waiting?.reject(new Error(reply.error));
  }
}
