import { setTimeout as pause } from 'node:timers/promises';
import type { Fleet } from '../support/fleet.ts';
import type { LibsqlServer } from './libsql-server.ts';

/** What a service logs about a server that answers reads and takes no writes. */
const STUCK = /has taken no write for/g;
const LOOK_EVERY_MS = 2_000;
/** Looks in a row that find nothing changed. The server answers each of them, so it is not just stopped. */
const LOOKS_OF_STANDSTILL = 8;

/**
 * Who reads the logs. libsql-server 0.24 takes no writes any more after some stops in the middle of a checkpoint, and
 * only a restart helps. It is restarted if a service says so, and nothing goes on.
 */
export class Operator {
  readonly #fleet: Fleet;
  readonly #server: LibsqlServer;
  restarts = 0;

  constructor(fleet: Fleet, server: LibsqlServer) {
    this.#fleet = fleet;
    this.#server = server;
  }

  /** Looks after the server until the work is done. */
  async during(work: Promise<unknown>): Promise<void> {
    let isOver = false;
    const done = work.finally(() => {
      isOver = true;
    });
    const looks = async () => {
      while (!isOver) await this.#look(() => isOver);
    };
    await Promise.all([done, looks()]);
  }

  async #look(isOver: () => boolean): Promise<void> {
    await pause(LOOK_EVERY_MS);
    if (this.#timesNamed === 0) return;
    const open = await this.#countOpen();
    for (let i = 0; i < LOOKS_OF_STANDSTILL; i++) {
      await pause(LOOK_EVERY_MS);
      if (isOver() || (await this.#countOpen()) !== open) return;
    }
    await this.#server.kill();
    await this.#server.resume();
    this.restarts++;
  }

  get #timesNamed(): number {
    return this.#fleet.logs.match(STUCK)?.length ?? 0;
  }

  /** A look that is not answered is repeated. */
  async #countOpen(): Promise<number> {
    for (;;) {
      try {
        return await this.#fleet.stored.countOpen();
      } catch {
        await pause(LOOK_EVERY_MS);
      }
    }
  }
}
