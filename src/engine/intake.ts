import { defer } from '../core/clock.ts';
import { newClaimToken } from '../core/id.ts';
import type { Claim, ClaimedRun, Store } from '../core/store.ts';
import type { EventBus } from './event-bus.ts';
import type { Registry } from './registry.ts';
import type { Slot, Slots } from './slots.ts';

interface IntakeDeps {
  readonly store: Store;
  readonly bus: EventBus;
  readonly registry: Registry;
  readonly slots: Slots;
  readonly staleThresholdMs: number;
}

export interface TakeOptions {
  /** How many runs at most, however many slots are free. */
  readonly atMost: number;
  /** Asked once the claim has been answered: runs that are not wanted any more are handed back. */
  readonly isWanted: () => boolean;
}

export interface Taken {
  /** The runs whose execution has begun. */
  readonly slots: readonly Slot[];
  /** Whether the claim found anything, if only runs that it had to fail. */
  readonly isEmpty: boolean;
  /** It left runs behind, for want of slots. */
  readonly hasMore: boolean;
}

/** The one way by which runs get into the slots: they are claimed, one claim at a time, and begun. */
export class Intake {
  readonly #deps: IntakeDeps;
  readonly #cancelledInClaim = new Set<string>();
  #taking: Promise<unknown> | undefined;

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
  }

  /** Notes that a run was cancelled in this process: a claim under way may have taken it before. */
  cancel(runId: string): void {
    if (this.#taking) this.#cancelledInClaim.add(runId);
  }

  /**
   * Claims runs for the slots that are free when its turn comes. Undefined, and
   * no statement, when none is or no job is registered.
   *
   * @throws {DatabaseUnavailableError}
   */
  take(options: TakeOptions): Promise<Taken | undefined> {
    const taking = this.#taking ? this.#taking.then(() => this.#take(options)) : this.#take(options);
    const over = taking
      .catch(() => undefined)
      .then(() => {
        if (this.#taking === over) this.#taking = undefined;
      });
    this.#taking = over;
    return taking;
  }

  /** Resolves when no claim is under way. */
  async settled(): Promise<void> {
    while (this.#taking) await this.#taking;
  }

  async #take({ atMost, isWanted }: TakeOptions): Promise<Taken | undefined> {
    const { store, slots, registry, staleThresholdMs } = this.#deps;
    const limit = Math.min(slots.free, atMost);
    const jobNames = registry.names();
    if (limit <= 0 || jobNames.length === 0) return undefined;
    this.#cancelledInClaim.clear();
    const claim = await store.claim({
      jobNames,
      limit,
      claimToken: newClaimToken(),
      staleThresholdMs,
      takesSuspect: !slots.hasSuspect,
    });
    // Whoever triggered one of these runs hears of that first.
    await new Promise<void>((resolve) => defer(resolve));
    const found = claim.runs.length + claim.lost.length;
    return {
      slots: await this.#accept(claim, isWanted),
      isEmpty: found === 0,
      hasMore: claim.more && found === limit,
    };
  }

  async #accept({ runs, lost }: Claim, isWanted: () => boolean): Promise<Slot[]> {
    const { bus, slots } = this.#deps;
    bus.publish(lost.map(({ error, ...run }) => ({ type: 'run:fail', ...run, message: error })));
    const held = await this.#stillHeld(runs);
    if (!isWanted()) {
      await slots.handBack(held);
      return [];
    }
    bus.publish(
      held.map(({ runId, jobName, attempt, payload }) => ({
        type: 'run:start',
        runId,
        jobName,
        attempt,
        data: payload,
      })),
    );
    return held.flatMap((run) => slots.fill(run) ?? []);
  }

  /** Those of the claimed runs that were not cancelled here before they got a slot. */
  async #stillHeld(runs: readonly ClaimedRun[]): Promise<readonly ClaimedRun[]> {
    const doubtful = runs.filter(({ runId }) => this.#cancelledInClaim.has(runId));
    this.#cancelledInClaim.clear();
    if (doubtful.length === 0) return runs;
    const { store } = this.#deps;
    // The cancel may also have come before the claim, and a retry between them: the database knows.
    const kept = await store.renew(doubtful).catch(() => doubtful);
    const keptIds = new Set(kept.map(({ runId }) => runId));
    return await this.#stillHeld(runs.filter((run) => !doubtful.includes(run) || keptIds.has(run.runId)));
  }
}
