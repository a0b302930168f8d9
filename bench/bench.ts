import type { GivenDatabase } from '../test/support/given-database.ts';
import { Child } from './processes/child.ts';
import type { Figures } from './protocol.ts';

export type Party = string;

/** One figure of one round. The rounds of a workload are run close together. */
export interface Sample {
  readonly workload: string;
  readonly metric: string;
  readonly contender: Party;
  readonly round: number;
  readonly value: number;
}

export interface Failure {
  readonly workload: string;
  readonly contender: Party;
  readonly error: string;
}

export interface Scales<S> {
  readonly full: S;
  readonly quick: S;
}

interface Interleaving<N extends Party> {
  readonly workload: string;
  readonly contenders: readonly N[];
  readonly rounds: number;
  /** Whether a first round is run without recording it. Off for rounds that are expensive and need no warm-up. */
  readonly warmUp?: boolean;
  /** A contender whose round takes longer is left out of the following rounds. */
  readonly roundWithinMs?: number;
  round(child: Child, contender: N): Promise<Figures>;
}

const ROUND_WITHIN_MS = 120_000;

async function within<T>(ms: number, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`a round took longer than ${ms / 1000} s`)), ms);
  });
  return await Promise.race([work(), late]).finally(() => clearTimeout(timer));
}

/** Runs the rounds of the workloads and collects their figures. */
export class Bench {
  readonly folder: string;
  readonly isQuick: boolean;
  /** The server for the remote workloads, instead of a stand-in. */
  readonly database: GivenDatabase | undefined;
  readonly #rounds: number | undefined;
  readonly #log: (line: string) => void;
  readonly samples: Sample[] = [];
  readonly failures: Failure[] = [];

  constructor(options: {
    folder: string;
    isQuick: boolean;
    rounds: number | undefined;
    database?: GivenDatabase | undefined;
    log: (line: string) => void;
  }) {
    this.folder = options.folder;
    this.isQuick = options.isQuick;
    this.database = options.database;
    this.#rounds = options.rounds;
    this.#log = options.log;
  }

  pick<S>(scales: Scales<S>): S {
    return this.isQuick ? scales.quick : scales.full;
  }

  record(sample: Sample): void {
    this.samples.push(sample);
  }

  /** Records that a contender failed. The other contenders continue. */
  fail(failure: Failure): void {
    this.failures.push(failure);
    this.#log(`    ${failure.contender}: ${failure.error}`);
  }

  /**
   * Runs the contenders in the order A B C, C B A, A B C …, each in its own process and one at a time. Whatever
   * else slows the machine then affects neighbouring rounds alike.
   */
  async interleave<N extends Party>(options: Interleaving<N>): Promise<void> {
    const { workload, warmUp = true, roundWithinMs = ROUND_WITHIN_MS } = options;
    const children = new Map(options.contenders.map((contender) => [contender, new Child()]));
    const rounds = this.#rounds ?? options.rounds;
    try {
      for (let round = warmUp ? -1 : 0; round < rounds; round++) {
        const order = round % 2 === 0 ? [...children] : [...children].reverse();
        for (const [contender, child] of order) {
          try {
            const figures = await within(roundWithinMs, () => options.round(child, contender));
            this.#note({ workload, contender, round }, figures);
          } catch (error) {
            child.end();
            children.delete(contender);
            this.fail({ workload, contender, error: String(error) });
          }
        }
      }
    } finally {
      for (const child of children.values()) child.end();
    }
  }

  #note(at: { workload: string; contender: Party; round: number }, figures: Figures): void {
    const told = Object.entries(figures).map(([metric, value]) => `${metric} ${value.toPrecision(4)}`);
    this.#log(
      `    ${at.round < 0 ? 'warm-up' : `round ${at.round + 1}`}  ${at.contender}: ${told.join(', ')}`,
    );
    if (at.round < 0) return;
    for (const [metric, value] of Object.entries(figures)) this.record({ ...at, metric, value });
  }
}
