import type { Clock } from '../core/clock.ts';
import { DatabaseUnavailableError } from '../core/errors.ts';
import { PORTION_BYTES, portionLength } from '../core/portions.ts';
import type { CompletedStep, Store } from '../core/store.ts';
import type { RunControl } from './run-control.ts';

const MAX_RETRY_PAUSE_MS = 5_000;

/**
 * The results of earlier attempts. Which steps have one is known from the start;
 * the results themselves are read in portions, when the job first asks for one
 * of them, and forgotten once it has it: an attempt takes the memory of a
 * portion, however much is stored.
 */
export class StoredResults {
  readonly #control: RunControl;
  readonly #store: Store;
  readonly #clock: Clock;
  /** The steps that were not asked for yet, by index. */
  readonly #waiting: Map<string, { readonly outputBytes: number; output?: string | null }>;
  /** One portion is read at a time: the next that asks may find its result in it. */
  #reading: Promise<void> = Promise.resolve();

  constructor(
    steps: readonly CompletedStep[],
    { control, store, clock }: { control: RunControl; store: Store; clock: Clock },
  ) {
    this.#control = control;
    this.#store = store;
    this.#clock = clock;
    this.#waiting = new Map(steps.map(({ name, ...result }) => [name, result]));
  }

  has(name: string): boolean {
    return this.#waiting.has(name);
  }

  /**
   * The JSON text of a step's result, null for undefined. It can be taken once.
   * While the database is unavailable it waits.
   *
   * @throws {RunCancelledError | LeaseLostError} once the run is no longer this worker's.
   */
  async take(name: string): Promise<string | null> {
    const result = this.#waiting.get(name);
    if (result === undefined) throw new Error(`step ${name} has no stored result`);
    while (result.output === undefined) {
      const reading = this.#reading.then(() =>
        result.output === undefined ? this.#readFrom(name) : undefined,
      );
      this.#reading = reading.catch(() => undefined);
      await reading;
    }
    this.#waiting.delete(name);
    return result.output;
  }

  /** Reads the result of a step, and of those after it as many as make a portion. */
  async #readFrom(name: string): Promise<void> {
    const names = this.#portionFrom(name);
    this.#forgetRead();
    const outputs = await this.#readPatiently(names);
    for (const each of names) {
      const result = this.#waiting.get(each);
      if (result) result.output = outputs.get(each) ?? null;
    }
  }

  #portionFrom(name: string): string[] {
    const names = [...this.#waiting.keys()];
    const following = names.slice(names.indexOf(name));
    const bytesOf = (each: string) => this.#waiting.get(each)?.outputBytes ?? 0;
    return following.slice(0, portionLength(following, bytesOf, PORTION_BYTES));
  }

  /** What was read and not asked for is read again when it is: a job may take its steps in another order. */
  #forgetRead(): void {
    for (const result of this.#waiting.values()) delete result.output;
  }

  async #readPatiently(names: readonly string[]): Promise<ReadonlyMap<string, string | null>> {
    for (let tries = 0; ; tries++) {
      this.#control.throwIfOver();
      try {
        return await this.#store.readStepOutputs({ runId: this.#control.lease.runId, names });
      } catch (error) {
        if (!(error instanceof DatabaseUnavailableError) || error.permanent) throw error;
      }
      const pauseMs = Math.random() * Math.min(MAX_RETRY_PAUSE_MS, 100 * 2 ** tries);
      await new Promise<void>((resolve) => this.#clock.schedule(pauseMs, resolve));
    }
  }
}
