import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Fault } from '../../support/sqld/faults.ts';
import { Sqld } from '../../support/sqld/server.ts';
import type { Random } from './random.ts';

const STATUSES = [429, 500, 502, 503, 504] as const;

/** A libSQL server for a fleet, with network faults chosen by the seed. It uses the fleet's file. */
export class RemoteDatabase {
  readonly #file: string;
  readonly #random: Random;
  #server: Sqld;
  /** The number of requests that met each kind of fault. */
  readonly #met = new Map<Fault['kind'], number>();
  #requestsBefore = 0;
  #mayHang = false;

  private constructor(file: string, random: Random, server: Sqld) {
    this.#file = file;
    this.#random = random;
    this.#server = server;
    this.#spoil();
  }

  static async start(file: string, random: Random): Promise<RemoteDatabase> {
    mkdirSync(dirname(file), { recursive: true });
    return new RemoteDatabase(file, random, await Sqld.start({ file }));
  }

  /** The server knows the processes by their addresses. */
  addressForProcess(): string {
    return this.#server.addressForClient();
  }

  get figures(): Readonly<Record<string, number>> {
    const met = (kind: Fault['kind']) => this.#met.get(kind) ?? 0;
    return {
      requests: this.#requestsBefore + this.#server.requests,
      'connections died': met('drop') + met('half'),
      'refused by the way': met('status'),
      'never answered': met('hang'),
    };
  }

  /**
   * From now on some requests are never answered. Not before the processes have started: a start gives up after 15 s without
   * an answer, and nobody starts it again here.
   */
  letRequestsHang(): void {
    this.#mayHang = true;
  }

  /** Takes the server down while the work runs. */
  async outage(work: () => Promise<void>): Promise<void> {
    const { port } = this.#server;
    await this.stop();
    this.#requestsBefore += this.#server.requests;
    try {
      await work();
    } finally {
      this.#server = await Sqld.start({ file: this.#file, port });
      this.#spoil();
    }
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  #spoil(): void {
    this.#server.latencyMs = () => this.#random.int(0, 8);
    this.#server.fault = () => {
      const fault = this.#choose();
      this.#met.set(fault.kind, (this.#met.get(fault.kind) ?? 0) + 1);
      return fault;
    };
  }

  /** A tenth of the connections die, a few requests get a proxy's error, and some are never answered. */
  #choose(): Fault {
    const random = this.#random;
    const chance = random.fraction();
    const when = random.pick(['before', 'after'] as const);
    if (chance < 0.08) return { kind: 'drop', when };
    if (chance < 0.1) return { kind: 'half' };
    if (chance < 0.13) return { kind: 'status', status: random.pick(STATUSES), when };
    if (chance < 0.131 && this.#mayHang) return { kind: 'hang', when };
    return { kind: 'none' };
  }
}
