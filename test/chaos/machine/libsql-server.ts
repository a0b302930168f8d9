import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../support/net/free-port.ts';
import { eventually } from '../support/eventually.ts';

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

interface Ports {
  readonly http: number;
  /** Where replicas reach it. */
  readonly replication: number;
}

/** A libsql-server of its own, which can be killed, started again and stopped for a while. Its defaults are kept. */
export class LibsqlServer {
  readonly #program: string;
  readonly #folder: string;
  readonly #ports: Ports;
  readonly #primary: LibsqlServer | undefined;
  #child: ChildProcess | undefined;

  private constructor(program: string, ports: Ports, primary?: LibsqlServer) {
    this.#program = program;
    this.#folder = mkdtempSync(join(tmpdir(), 'durably-libsql-server-'));
    this.#ports = ports;
    this.#primary = primary;
  }

  /** @param program the path of `sqld`. @param primary of which it is a read replica. */
  static async start(program: string, primary?: LibsqlServer): Promise<LibsqlServer> {
    const ports = { http: await freePort(), replication: await freePort() };
    const server = new LibsqlServer(program, ports, primary);
    await server.resume();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#ports.http}`;
  }

  get port(): number {
    return this.#ports.http;
  }

  /** Starts it, again after {@link kill}, at the same address and with the same database. */
  async resume(): Promise<void> {
    const replication = `127.0.0.1:${(this.#primary ?? this).#ports.replication}`;
    const role =
      this.#primary === undefined
        ? ['--grpc-listen-addr', replication]
        : ['--primary-grpc-url', `http://${replication}`];
    const address = ['--http-listen-addr', `127.0.0.1:${this.port}`];
    const args = ['--no-welcome', '--db-path', join(this.#folder, 'data'), ...address, ...role];
    const child = spawn(this.#program, args, { cwd: this.#folder, stdio: 'ignore' });
    let failure: unknown;
    child.on('error', (error) => {
      failure = error;
    });
    this.#child = child;
    alive.add(child);
    await eventually('the server to listen', async () => {
      const isOver = failure !== undefined || child.exitCode !== null;
      return isOver || (await fetch(`${this.url}/health`)).ok;
    });
    if (failure !== undefined) throw failure;
    if (child.exitCode !== null) throw new Error(`${this.#program} ended with ${child.exitCode}`);
  }

  /** Ends it at once, whatever it does. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    alive.delete(child);
  }

  /** SIGSTOP: it keeps its connections and answers nothing until SIGCONT. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  /** Ends it and deletes its database. */
  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
