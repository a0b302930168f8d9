import { decodeJson } from '../../core/json/json.ts';
import { PORTION_BYTES } from '../../core/json/portions.ts';
import { revealed } from '../../core/json/redacted.ts';
import { isSealed } from '../../core/json/sealed.ts';
import type { KnownStep, OpenStep, StepResult, StoredFailure } from '../../core/ownership/known-step.ts';
import type { Store } from '../../core/store.ts';
import { type Clock, defer } from '../../core/time/clock.ts';
import type { NeededValues } from '../plugins/needed-values.ts';
import { restoreFailure } from './job-failure.ts';
import { readPatiently } from './patience.ts';
import type { RunControl } from './run-control.ts';

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
  /** {@link StepResult.output}. Undefined until it was read. */
  output: string | null | undefined;
  previous: LinkedResult | undefined;
  next: LinkedResult | undefined;
}

interface Asked {
  readonly name: string;
  readonly sequence: number;
  readonly resolve: (output: string | null) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * What is stored of a run's steps: which are open, and the results of finished ones. The names are known from the start. The results are read
 * in portions, when the job asks for them, and dropped when the job has them, so that a replay takes
 * the memory of one portion however much is stored.
 */
export class StepResults {
  readonly #control: RunControl;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #needed: NeededValues;
  readonly #open = new Map<string, OpenStep>();
  /** The errors of sensitive steps that were thrown again. */
  readonly #sensitive = new WeakSet<Error>();
  readonly #untaken = new Map<string, LinkedResult>();
  /** The results that were read last. */
  #portion: readonly LinkedResult[];
  /** What the job asks for. Results are taken one at a time, because the portion of one may include the next. */
  readonly #asked: Asked[] = [];
  #isAskedAnew = false;
  #answering: Promise<void> | undefined;
  #takenInTurn = 0;

  constructor(
    steps: readonly KnownStep[],
    {
      control,
      store,
      clock,
      needed,
    }: { control: RunControl; store: Store; clock: Clock; needed: NeededValues },
  ) {
    this.#control = control;
    this.#store = store;
    this.#clock = clock;
    this.#needed = needed;
    let previous: LinkedResult | undefined;
    for (const step of steps) {
      if (step.state === 'open') {
        this.#open.set(step.name, step);
        continue;
      }
      const result: LinkedResult = { ...step, output: step.output, previous, next: undefined };
      if (previous) previous.next = result;
      this.#untaken.set(step.name, result);
      previous = result;
    }
    this.#portion = [...this.#untaken.values()].filter(({ output }) => output !== undefined);
  }

  /** A step that waited, or was tried, in an earlier execution, and has no outcome yet. */
  openStep(name: string): OpenStep | undefined {
    return this.#open.get(name);
  }

  /** The step has an outcome now, or begins anew. */
  closeStep(name: string): void {
    this.#open.delete(name);
  }

  has(name: string): boolean {
    return this.#untaken.has(name);
  }

  /**
   * The JSON text of a step's result, null for undefined. It can be taken once. Waits while the
   * database is unavailable. Of results that the job asks for at once, what was stored first comes first,
   * so that a race of steps has the same winner again.
   *
   * @throws {RunCancelledError | LeaseLostError} once the run is no longer this worker's.
   * @throws the stored error of a step that failed.
   */
  take(name: string): Promise<string | null> {
    return new Promise((resolve, reject) => {
      this.#asked.push({
        name,
        sequence: this.#untaken.get(name)?.sequence ?? 0,
        resolve,
        reject,
      });
      this.#isAskedAnew = true;
      this.#answering ??= this.#answer();
    });
  }

  /** Whether {@link take} has thrown the error of a step that was stored for the job alone. */
  isSensitive(error: unknown): boolean {
    return error instanceof Error && this.#sensitive.has(error);
  }

  /** Resolves when all that the job has asked for is answered. */
  async caughtUp(): Promise<void> {
    // The job may ask for more in this turn, and decoding takes longer than the wait that is over.
    if (this.#needed.takesTime) await new Promise<void>((resolve) => defer(resolve));
    await this.#answering;
  }

  async #answer(): Promise<void> {
    // After this turn of the job, which may ask for more.
    await undefined;
    while (this.#asked.length > 0) {
      if (this.#isAskedAnew) this.#asked.sort((a, b) => b.sequence - a.sequence);
      this.#isAskedAnew = false;
      const first = this.#asked.pop();
      if (first !== undefined) await this.#take(first.name).then(first.resolve, first.reject);
    }
    this.#answering = undefined;
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
    if (output === null) return null;
    if (result.state === 'failed') throw await this.#restored(output);
    return revealed(isSealed(output) ? await this.#needed.open(output) : output);
  }

  async #restored(failure: string): Promise<Error> {
    const [text, stored] = decodeJson(failure) as StoredFailure;
    const { message, isSensitive } = await this.#needed.openMessage(text);
    const detail = stored && revealed(await this.#needed.open(stored));
    const error = restoreFailure(message, detail);
    if (isSensitive) this.#sensitive.add(error);
    return error;
  }

  /** Reads a step's result, and as many around it as fit into a portion. */
  async #readAround(result: LinkedResult): Promise<void> {
    // Results that were read but not used are dropped, and read again if the job asks for them. A job may
    // replay its steps in another order.
    for (const read of this.#portion) read.output = undefined;
    this.#portion = portionAround(result);
    const { runId } = this.#control.lease;
    const names = this.#portion.map(({ name }) => name);
    const outputs = await readPatiently({ control: this.#control, clock: this.#clock }, () =>
      this.#store.readStepOutputs({ runId, names }),
    );
    for (const read of this.#portion) {
      const output = outputs.get(read.name);
      // The run was deleted meanwhile, and its steps with it.
      if (output === undefined) this.#control.stop('lease-lost');
      this.#control.throwIfOver();
      read.output = output ?? null;
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
