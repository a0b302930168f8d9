import { ConflictError } from '../../../core/errors/errors.ts';
import { currentRun, type RunContext } from '../../../core/run-context.ts';
import type { RunControl } from '../../execution/run-control.ts';

/** An execution of a run, and the concurrency key that it holds. */
export interface SlotHolder {
  readonly context: RunContext;
  readonly control: RunControl;
  readonly concurrencyKey: string | null;
}

/** The run that another run waits for. */
export interface Awaited {
  readonly runId: string;
  readonly concurrencyKey: string | null;
}

/** A wait for a run. */
export interface RunWait {
  /** Rejects when the waiting run is stopped. Undefined if the caller waits outside of runs. */
  readonly callerStopped?: Promise<unknown>;
  /** Ends the wait. */
  end(): void;
}

/**
 * All executions of this process. A run may wait for a run of another instance, which may wait for a
 * run of the first.
 */
const executions = new Set<SlotHolder>();
/** The runs that each execution waits for, and the waits of the worker that executes them. */
const awaitedBy = new Map<RunContext, Set<Awaited & { readonly at: RunWaits }>>();

/** The execution whose job is calling, in any instance of this process. */
export function currentExecution(): SlotHolder | undefined {
  const context = currentRun();
  return context && [...executions].find((holder) => holder.context === context);
}

/**
 * Which runs wait, inside their job, for the end of a run that this worker executes. A waiting run
 * keeps its slot and its concurrency key, so the other run may never be able to start. This is found
 * out before the wait, by following who waits for whom.
 */
export class RunWaits {
  readonly #executing = new Set<SlotHolder>();
  readonly #maxConcurrentRuns: number;

  constructor({ maxConcurrentRuns }: { maxConcurrentRuns: number }) {
    this.#maxConcurrentRuns = maxConcurrentRuns;
  }

  /** Adds a run that this worker executes from now on. */
  enter(holder: SlotHolder): void {
    executions.add(holder);
    this.#executing.add(holder);
  }

  leave(holder: SlotHolder): void {
    executions.delete(holder);
    this.#executing.delete(holder);
    awaitedBy.delete(holder.context);
  }

  /**
   * Notes that a run waits for another run, which this worker executes.
   *
   * @param awaited.needsSlot whether the awaited run has not been claimed yet.
   * @throws {ConflictError} if the wait itself would keep the awaited run from starting or ending.
   */
  begin(waiter: SlotHolder, awaited: Awaited & { readonly needsSlot: boolean }): RunWait {
    const { context, control } = waiter;
    const entry = { ...awaited, at: this };
    this.#checkCircle(context, entry);
    if (awaited.needsSlot) this.#checkSlots(context);
    const all = awaitedBy.get(context) ?? new Set();
    awaitedBy.set(context, all);
    all.add(entry);
    const callerStopped = control.stopped.then(() => control.throwIfOver());
    // Without this, a rejection that nobody awaits would end the process.
    callerStopped.catch(() => undefined);
    const end = () => {
      all.delete(entry);
      if (all.size === 0 && awaitedBy.get(context) === all) awaitedBy.delete(context);
    };
    return { callerStopped, end };
  }

  isWaiting(context: RunContext): boolean {
    return awaitedBy.has(context);
  }

  /** The runs that an execution waits for and that are not executed in this process. */
  awaitedElsewhere(waiter: RunContext): Awaited[] {
    return [...(awaitedBy.get(waiter) ?? [])].filter(({ runId }) => this.#find(runId) === undefined);
  }

  /** The executions that cannot end before one of the given ones does, including those. */
  heldUpBy(contexts: ReadonlySet<RunContext>): ReadonlySet<RunContext> {
    return new Set(
      [...this.#executing]
        .filter(({ context }) => contexts.has(context) || this.#dependsOn(context, contexts))
        .map(({ context }) => context),
    );
  }

  #checkSlots(waiter: RunContext): void {
    const own = [...this.#executing];
    const isOwn = own.some(({ context }) => context === waiter);
    // A run without a slot of this worker may wait for the slots of runs that don't wait for it.
    const isTaken = ({ context }: SlotHolder) =>
      context === waiter || (isOwn ? this.isWaiting(context) : this.#dependsOn(context, new Set([waiter])));
    if (own.filter(isTaken).length < this.#maxConcurrentRuns) return;
    throw new ConflictError(
      'triggerAndWait inside a job would wait for ever: each slot of this worker ' +
        `(maxConcurrentRuns: ${this.#maxConcurrentRuns}) would be held by a run that waits for another. ` +
        'Use `trigger` and let this run end, wait outside of jobs, or raise maxConcurrentRuns',
    );
  }

  #checkCircle(waiter: RunContext, awaited: Awaited & { readonly at: RunWaits }): void {
    if (!this.#leadsTo(awaited, new Set([waiter]), new Set())) return;
    const { runId, concurrencyKey } = awaited;
    const why =
      runId === waiter.runId
        ? 'a run cannot wait for itself'
        : this.#find(runId) !== undefined
          ? `run ${runId} waits for this one`
          : `the concurrency key "${concurrencyKey}" is held by this run, or by one that waits for it`;
    throw new ConflictError(
      `triggerAndWait inside a job would wait for ever: ${why}. ` +
        'Use `trigger` and let this run end, or wait outside of jobs',
    );
  }

  #dependsOn(context: RunContext, ends: ReadonlySet<RunContext>, seen = new Set<RunContext>()): boolean {
    if (seen.has(context)) return false;
    seen.add(context);
    return [...(awaitedBy.get(context) ?? [])].some((awaited) => this.#leadsTo(awaited, ends, seen));
  }

  /**
   * Whether one of `ends` must end before the awaited run can. Either it is that run or holds its
   * key, or another run that must end first waits for it.
   */
  #leadsTo(
    awaited: Awaited & { readonly at: RunWaits },
    ends: ReadonlySet<RunContext>,
    seen: Set<RunContext>,
  ): boolean {
    const executing = this.#find(awaited.runId);
    const blockers = executing === undefined ? awaited.at.#holdersOf(awaited.concurrencyKey) : [executing];
    return blockers.some(({ context }) => ends.has(context) || this.#dependsOn(context, ends, seen));
  }

  #find(runId: string): SlotHolder | undefined {
    return [...executions].find(({ context }) => context.runId === runId);
  }

  #holdersOf(concurrencyKey: string | null): SlotHolder[] {
    if (concurrencyKey === null) return [];
    return [...this.#executing].filter((holder) => holder.concurrencyKey === concurrencyKey);
  }
}
