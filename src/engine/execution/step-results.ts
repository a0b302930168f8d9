import { type Clock, defer } from '../../core/clock.ts';
import { DatabaseUnavailableError } from '../../core/errors/errors.ts';
import { PORTION_BYTES } from '../../core/json/portions.ts';
import { type PauseBounds, pauseBeforeRetry } from '../../core/retry-pause.ts';
import type { StepResult, Store } from '../../core/store.ts';
import type { RunControl } from './run-control.ts';

/** The pauses while the database is unavailable. */
const RETRY_PAUSE: PauseBounds = { firstMs: 100, maxMs: 5_000 };

/** How many results are handed out in one turn of the event loop, so that timers and sockets get their turn. */
const MAX_TAKEN_PER_TURN = 100;

/** What a result takes beside its text: of tiny ones a portion holds a thousand. */
const OVERHEAD_BYTES = 1024;

/** A result that was not asked for yet, between those that come before and after it by index. */
interface LinkedResult extends Omit<StepResult, 'output'> {
  /** JSON text, null for undefined; undefined unless it has been read. */
  output: string | null | undefined;
  previous: LinkedResult | undefined;
  next: LinkedResult | undefined;
}

/**
 * The stored results of finished steps. Their names are known from the start. The
 * results are read in portions, when the job asks for them, and forgotten once the job
 * has them, so that a replay takes the memory of one portion however much is stored.
 */
export class StepResults {
  readonly #control: RunControl;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #untaken = new Map<string, LinkedResult>();
  /** What was read last, asked for or not. */
  #portion: readonly LinkedResult[];
  /** One result at a time: the portion read for it may hold the next one that is asked for. */
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
   * The JSON text of a step's result, null for undefined. It can be taken once.
   * While the database is unavailable it waits.
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

  /** Reads a step's result with as many around it as make a portion. */
  async #readAround(result: LinkedResult): Promise<void> {
    // What was read and not asked for is read again when it is: a job may take its steps in another order.
    for (const read of this.#portion) read.output = undefined;
    this.#portion = portionAround(result);
    const outputs = await this.#readPatiently(this.#portion.map(({ name }) => name));
    for (const read of this.#portion) {
      const output = outputs.get(read.name);
      // The run was deleted meanwhile: its steps are gone.
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
 * The step, and its neighbours that were not asked for yet: at most half a portion
 * of those before it, then those after it, then more of those before it. A job that
 * asks in the stored order has none before it, one that asks in the reverse order
 * none after it.
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
