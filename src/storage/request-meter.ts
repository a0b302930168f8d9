import { BucketCounts } from '../core/stats/bucket-counts.ts';
import type { DatabaseVitals } from '../core/stats/vitals.ts';

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const WRITES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000];

/** Counts the requests to the database. */
export class RequestMeter {
  readonly #seconds = { read: new BucketCounts(SECONDS), write: new BucketCounts(SECONDS) };
  readonly #failed = { read: 0, write: 0 };
  readonly #groups = new BucketCounts(WRITES);
  #renewals = 0;

  noteAnswer(kind: 'read' | 'write', ms: number): void {
    this.#seconds[kind].add(ms / 1000);
  }

  noteFailure(kind: 'read' | 'write'): void {
    this.#failed[kind]++;
  }

  /** @param writes how many leave together */
  noteGroup(writes: number): void {
    this.#groups.add(writes);
  }

  noteRenewal(): void {
    this.#renewals++;
  }

  counted(): DatabaseVitals {
    const of = (kind: 'read' | 'write') => ({
      seconds: this.#seconds[kind].counted(),
      failed: this.#failed[kind],
    });
    return {
      reads: of('read'),
      writes: of('write'),
      groups: this.#groups.counted(),
      renewals: this.#renewals,
    };
  }
}
