import { setTimeout as pauseFor } from 'node:timers/promises';
import type { Fault } from './faults.ts';

/** What a small request takes on a libsql-server nearby, ms. */
const REQUEST_MS = 4;
/** What compressing an answer takes there, ms. */
const COMPRESSION_MS = { once: 2, perKb: 0.62 } as const;

/** How fast the server answers: as fast as it can, or as slowly as libsql-server 0.24 was measured to. */
export type Speed = 'instant' | 'measured';

/** What a test sets and reads while the server runs. */
export class Behaviour {
  readonly #speed: Speed;
  readonly #pause: (ms: number) => Promise<unknown>;
  /** The number of requests received. */
  requests = 0;
  /** The number of requests that are not answered yet. */
  underWay = 0;
  /** The number of requests that were left hanging and that their client gave up. */
  abandoned = 0;
  /** Larger bodies are refused, as proxies do. */
  refusedBytes = Number.POSITIVE_INFINITY;
  /** Each request waits for this before anything else happens. */
  gate: (() => Promise<void>) | undefined;
  /** The latency added to each request, ms. Called for each. */
  latencyMs: () => number;
  /** Called for each request, in the order of arrival. */
  fault: (requestNumber: number) => Fault;

  constructor(options: {
    readonly latencyMs?: (() => number) | undefined;
    readonly fault?: ((requestNumber: number) => Fault) | undefined;
    readonly speed?: Speed | undefined;
    readonly pause?: ((ms: number) => Promise<unknown>) | undefined;
  }) {
    this.latencyMs = options.latencyMs ?? (() => 0);
    this.fault = options.fault ?? (() => ({ kind: 'none' }));
    this.#speed = options.speed ?? 'instant';
    this.#pause = options.pause ?? pauseFor;
  }

  /** Counts a request, and says how it fails. */
  noteArrival(): Fault {
    this.requests++;
    this.underWay++;
    return this.fault(this.requests);
  }

  /** Takes the time that a request takes before it is executed. */
  async delay(): Promise<void> {
    const ms = this.latencyMs() + (this.#speed === 'measured' ? REQUEST_MS : 0);
    if (ms > 0) await this.#pause(ms);
    await this.gate?.();
  }

  /** Takes the time that compressing an answer takes. */
  async delayCompression(bytes: number): Promise<void> {
    if (this.#speed === 'instant') return;
    await this.#pause(COMPRESSION_MS.once + (bytes / 1000) * COMPRESSION_MS.perKb);
  }
}
