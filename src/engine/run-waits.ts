import { ConflictError } from '../core/errors.ts';
import type { RunContext } from '../core/run-context.ts';

/** A run as the waits see it: its execution's identity, and the concurrency key that it holds. */
export interface SlotHolder {
  readonly context: RunContext;
  readonly concurrencyKey: string | null;
}

/** What a run waits for. */
export interface Awaited {
  readonly runId: string;
  readonly concurrencyKey: string | null;
}

/** A wait for a run. */
export interface RunWait {
  /** Rejects when the run that waits is stopped; undefined for who waits outside of runs. */
  readonly callerStopped?: Promise<unknown>;
  /** The wait is over. */
  end(): void;
}

/**
 * Which of the runs that a worker executes wait for another run's end inside their
 * job. Such a run keeps its slot and its concurrency key, so that what it waits for
 * may never begin: that is found out before the wait, by following who waits for whom.
 */
export class RunWaits {
  readonly #executing: () => Iterable<SlotHolder>;
  readonly #maxConcurrentRuns: number;
  readonly #awaitedBy = new Map<RunContext, Set<Awaited>>();

  constructor(deps: { executing: () => Iterable<SlotHolder>; maxConcurrentRuns: number }) {
    this.#executing = deps.executing;
    this.#maxConcurrentRuns = deps.maxConcurrentRuns;
  }

  /**
   * Notes that a run waits for another; call the answer when it doesn't any more.
   *
   * @param awaited.needsSlot whether the awaited run has yet to be taken up.
   * @throws {ConflictError} if the awaited run could not begin, or end, for the wait itself.
   */
  begin(waiter: RunContext, awaited: Awaited & { readonly needsSlot: boolean }): () => void {
    this.#checkCircle(waiter, awaited);
    if (awaited.needsSlot) this.#checkSlots(waiter);
    const all = this.#awaitedBy.get(waiter) ?? new Set();
    this.#awaitedBy.set(waiter, all);
    all.add(awaited);
    return () => {
      all.delete(awaited);
      if (all.size === 0 && this.#awaitedBy.get(waiter) === all) this.#awaitedBy.delete(waiter);
    };
  }

  isWaiting(context: RunContext): boolean {
    return this.#awaitedBy.has(context);
  }

  /** What an execution waits for and nobody executes here. */
  awaitedElsewhere(waiter: RunContext): Awaited[] {
    return [...(this.#awaitedBy.get(waiter) ?? [])].filter(({ runId }) => this.#find(runId) === undefined);
  }

  /** Those executions that can't end before one of the given does, which are among them. */
  heldUpBy(contexts: ReadonlySet<RunContext>): ReadonlySet<RunContext> {
    return new Set(
      [...this.#executing()]
        .filter(({ context }) => contexts.has(context) || this.#dependsOn(context, contexts))
        .map(({ context }) => context),
    );
  }

  #checkSlots(waiter: RunContext): void {
    const waiting = [...this.#executing()].filter(
      ({ context }) => context === waiter || this.isWaiting(context),
    );
    if (waiting.length < this.#maxConcurrentRuns) return;
    throw new ConflictError(
      'triggerAndWait inside a job would wait for ever: each slot of this worker ' +
        `(maxConcurrentRuns: ${this.#maxConcurrentRuns}) would be held by a run that waits for another. ` +
        'Use `trigger` and let this run end, wait outside of jobs, or raise maxConcurrentRuns',
    );
  }

  #checkCircle(waiter: RunContext, awaited: Awaited): void {
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
    return [...(this.#awaitedBy.get(context) ?? [])].some((awaited) => this.#leadsTo(awaited, ends, seen));
  }

  /** Whether one of `ends` must end first: it is the awaited run, or holds its key, or so on. */
  #leadsTo(awaited: Awaited, ends: ReadonlySet<RunContext>, seen: Set<RunContext>): boolean {
    const executing = this.#find(awaited.runId);
    const blockers = executing === undefined ? this.#holdersOf(awaited.concurrencyKey) : [executing];
    return blockers.some(({ context }) => ends.has(context) || this.#dependsOn(context, ends, seen));
  }

  #find(runId: string): SlotHolder | undefined {
    return [...this.#executing()].find(({ context }) => context.runId === runId);
  }

  #holdersOf(concurrencyKey: string | null): SlotHolder[] {
    if (concurrencyKey === null) return [];
    return [...this.#executing()].filter((holder) => holder.concurrencyKey === concurrencyKey);
  }
}
