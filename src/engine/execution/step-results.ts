import { type Clock, defer } from '../../core/clock.ts';
import { DatabaseUnavailableError } from '../../core/errors/errors.ts';
import { PORTION_BYTES } from '../../core/json/portions.ts';
import { type PauseBounds, pauseBeforeRetry } from '../../core/retry-pause.ts';
import type { StepResult, Store } from '../../core/store.ts';
import type { RunControl } from './run-control.ts';

/** The pauses while the database is unavailable. */
const RETRY_PAUSE: PauseBounds = { firstMs: 100, maxMs: 5_000 };

/**
 * How many results are handed out in one turn of the event loop. Timers and sockets are served in
 * between.
 */
const MAX_TAKEN_PER_TURN = 100;

/** What a result costs besides its text. A portion holds at most a thousand tiny ones. */
const OVERHEAD_BYTES = 1024;

/**
 * A result that the job has not asked for yet. It is linked with the results before and after it by
 * index.
 */
interface LinkedResult extends Omit<StepResult, 'output'> {
  /** JSON text, null for undefined. Undefined until it was read. */
  output: string | null | undefined;
  previous: LinkedResult | undefined;
  next: LinkedResult | undefined;
}

/**
 * The stored results of finished steps. Their names are known from the start. The results are read
 * in portions, when the job asks for them, and dropped when the job has them, so that a replay takes
 * the memory of one portion however much is stored.
 */
export class StepResults {
  readonly #control: RunControl;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #untaken = new Map<string, LinkedResult>();
  /** The results that were read last. */
  #portion: readonly LinkedResult[];
  /** Results are taken one at a time, because the portion of one may include the next. */
  #lastTaken: Promise<unknown> = Promise.resolve();
  #takenInTurn = 0;

  constructor(
    results: readonly StepResult[],
    { control, store, clock }: { control: RunControl; store: Store; clock: Clock },
  ) {
    this.#control = control;
    this.#store = store;
    this.#clock = clock;
    let previous: LinkedResult | undefined;
    for (const { name, outputBytes, output } of results) {
      const result: LinkedResult = { name, outputBytes, output, previous, next: undefined };
      if (previous) previous.next = result;
      this.#untaken.set(name, result);
      previous = result;
    }
    this.#portion = [...this.#untaken.values()].filter(({ output }) => output !== undefined);
  }

  has(name: string): boolean {
    return this.#untaken.has(name);
  }

  /**
   * The JSON text of a step's result, null for undefined. It can be taken once. Waits while the
   * database is unavailable.
   *
   * @throws {RunCancelledError | LeaseLostError} once the run is no longer this worker's.
   */
  take(name: string): Promise<string | null> {
    const taken = this.#lastTaken.then(() => this.#take(name));
    this.#lastTaken = taken.catch(() => undefined);
    return taken;
  }

  async #take(name: string): Promise<string | null> {
    const result = this.#untaken.get(name);
    if (result === undefined) throw new Error(`step ${name} has no stored result`);
    if (++this.#takenInTurn > MAX_TAKEN_PER_TURN) {
      this.#takenInTurn = 1;
      await new Promise<void>((resolve) => defer(resolve));
    }
    if (result.output === undefined) await this.#readAround(result);
    const { output = null, previous, next } = result;
    result.output = undefined;
    this.#untaken.delete(name);
    if (previous) previous.next = next;
    if (next) next.previous = previous;
    return output;
  }

  /** Reads a step's result, and as many around it as fit into a portion. */
  async #readAround(result: LinkedResult): Promise<void> {
    // Results that were read but not used are dropped, and read again if the job asks for them. A job may
    // replay its steps in another order.
    for (const read of this.#portion) read.output = undefined;
    this.#portion = portionAround(result);
    const outputs = await this.#readPatiently(this.#portion.map(({ name }) => name));
    for (const read of this.#portion) {
      const output = outputs.get(read.name);
      // The run was deleted meanwhile, and its steps with it.
      if (output === undefined) this.#control.stop('lease-lost');
      this.#control.throwIfOver();
      read.output = output ?? null;
    }
  }

  async #readPatiently(names: readonly string[]): Promise<ReadonlyMap<string, string | null>> {
    for (let tries = 0; ; tries++) {
      this.#control.throwIfOver();
      try {
        return await this.#store.readStepOutputs({ runId: this.#control.lease.runId, names });
      } catch (error) {
        if (!(error instanceof DatabaseUnavailableError) || error.permanent) throw error;
      }
      await pauseBeforeRetry(this.#clock, tries, RETRY_PAUSE);
    }
  }
}

/**
 * The step and neighbours that were not asked for yet: up to half a portion of those before it, then
 * those after it, then more of those before it. A job that asks in the stored order has none before
 * it, and a job that asks in the reverse order has none after it.
 */
function portionAround(asked: LinkedResult): readonly LinkedResult[] {
  const portion = [asked];
  let bytes = sizeOf(asked);
  const extend = (from: LinkedResult | undefined, side: 'previous' | 'next', maxBytes: number) => {
    let each = from;
    for (; each !== undefined && bytes + sizeOf(each) <= maxBytes; each = each[side]) {
      portion.push(each);
      bytes += sizeOf(each);
    }
    return each;
  };
  const before = extend(asked.previous, 'previous', PORTION_BYTES / 2);
  extend(asked.next, 'next', PORTION_BYTES);
  extend(before, 'previous', PORTION_BYTES);
  return portion;
}

function sizeOf({ outputBytes }: LinkedResult): number {
  return outputBytes + OVERHEAD_BYTES;
}
