import { errorsOf } from '../../../core/errors/error-text.ts';
import { StepError } from '../../../core/errors/errors.ts';
import { readField } from '../../../core/errors/thrown.ts';
import { storableText } from '../../../core/text.ts';
import type { StepResults } from '../step-results.ts';
import { stepNameFault } from './step-name.ts';

/** How many causes of an error are searched for a step's error, because a chain of causes may be circular. */
const MAX_CAUSES = 20;
/** How many causes and inner errors are searched for that of a sensitive step. */
const MAX_SEARCHED = 100;

/** A step of one execution, from its first call on. */
export interface StepCall {
  readonly name: string;
  /** 0-based order in which this execution called its steps first. */
  readonly index: number;
  /**
   * - `open`: it may begin. It never did, or it failed and is called again.
   * - `running`: its outcome is not stored yet.
   * - `waiting`: for a time, or for its next try.
   * - `completed`: its result is stored, by this execution or an earlier one.
   */
  state: 'open' | 'running' | 'waiting' | 'completed';
  /** The step whose function called it. */
  readonly outer: string | undefined;
  /** It is tried again if it fails. */
  hasRetries: boolean;
  /** Only the job may see what it returns or throws. */
  isSensitive: boolean;
  /** When it began last, on the monotonic clock. */
  startMs: number;
}

/** A call that is not a step: it fails, and nothing is stored. */
export interface RefusedCall {
  readonly state: 'refused';
  readonly error: Error;
}

/** The steps that one execution of a run has called, of all kinds. A name is one step's. */
export class StepCalls {
  readonly #byName = new Map<string, StepCall>();
  #running = 0;
  #replaying = 0;
  /** What steps threw, with the last step that threw it. */
  readonly #failures = new Map<unknown, StepCall>();
  /** What sensitive steps threw, whichever other step has thrown it since. */
  readonly #sensitive = new Set<unknown>();
  readonly #onEnd = new Set<() => void>();

  get areRunning(): boolean {
    return this.#running > 0;
  }

  /** Whether a step runs that is none of those whose functions have called this one. */
  areRunningBeside(call: StepCall): boolean {
    let running = this.#running;
    for (let each = call.outer; each !== undefined; each = this.#byName.get(each)?.outer) {
      if (this.#byName.get(each)?.state === 'running') running--;
    }
    return running > 0;
  }

  /** Whether a step runs or is being replayed, after which the job goes on by itself. */
  get areBusy(): boolean {
    return this.#running + this.#replaying > 0;
  }

  /**
   * The step of that name, which has its index from now on.
   *
   * @param fault why its other arguments can't be taken, as the end of a sentence about the step.
   */
  enter(
    givenName: unknown,
    fault: string | undefined,
    {
      outer,
      putsToWait = false,
    }: { readonly outer?: string | undefined; readonly putsToWait?: boolean } = {},
  ): StepCall | RefusedCall {
    const nameFault = stepNameFault(givenName);
    if (nameFault !== undefined) return refused(nameFault);
    const name = storableText(givenName as string);
    const told = fault ?? this.#nestingFault(outer, putsToWait);
    if (told !== undefined) return refused(`Step "${name}" ${told}`);
    const known = this.#byName.get(name);
    if (known === undefined) {
      const index = this.#byName.size;
      const call: StepCall = {
        name,
        index,
        state: 'open',
        outer,
        hasRetries: false,
        isSensitive: false,
        startMs: 0,
      };
      this.#byName.set(name, call);
      return call;
    }
    if (known.state === 'running' || known.state === 'waiting')
      return refused(`Step "${name}" is still running`);
    if (known.state === 'completed') return refused(`Step "${name}" already ran in this attempt`);
    return known;
  }

  #nestingFault(outer: string | undefined, putsToWait: boolean): string | undefined {
    if (outer === undefined) return undefined;
    const within = `can't be called inside step "${outer}"`;
    // A run is not put to wait while a step's function runs.
    if (putsToWait) return `${within}, which would wait for ever: call it beside or after that step`;
    // The next try of the outer step would call this one again, which has its outcome by then.
    if (this.#byName.get(outer)?.hasRetries !== true) return undefined;
    return `${within}, which has retries: give the retries to the inner step`;
  }

  start(call: StepCall, nowMs: number): void {
    call.state = 'running';
    call.startMs = nowMs;
    this.#running++;
  }

  wait(call: StepCall): void {
    if (call.state === 'running') this.#end(call, 'waiting');
    else call.state = 'waiting';
  }

  /** Answers with a stored result, or fails as the step has failed. */
  async replay(call: StepCall, results: Pick<StepResults, 'take' | 'isSensitive'>): Promise<string | null> {
    call.state = 'completed';
    this.#replaying++;
    try {
      return await results.take(call.name);
    } catch (error) {
      // It failed, and may be called again.
      call.state = 'open';
      // Its function may have passed on what a sensitive step threw.
      if (call.isSensitive || results.isSensitive(error)) this.#noteSensitive(error);
      this.#failures.set(error, call);
      throw error;
    } finally {
      this.#replaying--;
      this.#noteEnd();
    }
  }

  complete(call: StepCall): void {
    this.#end(call, 'completed');
  }

  fail(call: StepCall, error: unknown): void {
    this.#failures.set(error, call);
    if (call.isSensitive) this.#noteSensitive(error);
    this.#end(call, 'open');
  }

  /** Resolves when one of the busy steps has ended. */
  async oneEnded(): Promise<void> {
    await new Promise<void>((resolve) => this.#onEnd.add(resolve));
  }

  /** The step that threw the job's error, or one of its causes. */
  failedStepOf(error: unknown): string | undefined {
    let cause = error;
    for (let depth = 0; depth < MAX_CAUSES; depth++) {
      const call = this.#failures.get(cause);
      if (call !== undefined) return call.name;
      cause = causeOf(cause);
    }
    return undefined;
  }

  /** Whether a sensitive step threw it, or something that it was made of. @param by the step that throws it now */
  isSensitive(error: unknown, by?: StepCall): boolean {
    return by?.isSensitive === true || partsOf(error).some((each) => this.#sensitive.has(each));
  }

  /** The job may throw a part of it alone. */
  #noteSensitive(error: unknown): void {
    for (const each of partsOf(error)) this.#sensitive.add(each);
  }

  #end(call: StepCall, state: 'open' | 'waiting' | 'completed'): void {
    if (call.state === 'running') this.#running--;
    call.state = state;
    this.#noteEnd();
  }

  #noteEnd(): void {
    for (const resolve of this.#onEnd) resolve();
    this.#onEnd.clear();
  }
}

function refused(message: string): RefusedCall {
  return { state: 'refused', error: new StepError(message) };
}

/** What was thrown, with the errors that it was made of. */
function partsOf(error: unknown): unknown[] {
  const found = [error];
  for (let at = 0; at < found.length && at < MAX_SEARCHED; at++) {
    const each = found[at];
    if (typeof each !== 'object' || each === null) continue;
    const parts = [causeOf(each), ...errorsOf(each, MAX_SEARCHED).errors];
    found.push(...parts.filter((part) => part !== undefined && part !== null));
  }
  return found.slice(0, MAX_SEARCHED);
}

/** Anything may have been thrown, and reading from it may throw too. */
function causeOf(error: unknown): unknown {
  try {
    return error instanceof Error ? readField(error, 'cause') : undefined;
  } catch {
    return undefined;
  }
}
