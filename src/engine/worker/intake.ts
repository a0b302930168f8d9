import { type Clock, defer } from '../../core/clock.ts';
import { type JournalNote, UNKNOWN_STEP } from '../../core/events.ts';
import { newClaimToken } from '../../core/id.ts';
import type { Claim, ClaimedRun, ClaimRequest, LostRun, Store } from '../../core/store.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { RunLog } from '../events/run-log.ts';
import type { Registry } from '../jobs/registry.ts';
import { ClaimsUnderWay, type ClaimUnderWay, stillHeld } from './claims-under-way.ts';
import type { Slot, Slots } from './slots.ts';

interface IntakeDeps {
  readonly store: Store;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly slots: Slots;
  readonly log: RunLog;
  readonly staleThresholdMs: number;
  /** Called when a claim is over: slots that were kept for it may be free. */
  readonly onEnd: () => void;
}

export interface TakeOptions {
  /** How many runs at most, however many slots are free. */
  readonly atMost: number;
  /** When the caller has waited long enough for the database, on the monotonic clock. */
  readonly deadlineMs?: number | undefined;
  /** Asked when the claim is answered. If false, its runs are handed back. */
  readonly isWanted: () => boolean;
}

export interface Taken {
  /** The runs whose execution has begun. */
  readonly slots: readonly Slot[];
  /** Whether the claim found nothing, not even runs that it had to fail. */
  readonly isEmpty: boolean;
  /** It left runs behind for want of slots. */
  readonly hasMore: boolean;
}

/** A claim can be looked up by its token. */
interface SentClaim {
  readonly claimToken: string;
  /** On the monotonic clock. The leases of the runs it took are valid at least from then. */
  readonly sentAtMs: number;
}

/** Claims runs and starts them in slots. Runs get into slots in no other way. */
export class Intake {
  readonly #deps: IntakeDeps;
  readonly #claims = new ClaimsUnderWay();
  /** Claims that failed. They may have taken runs, so the next claim asks for them first. */
  readonly #unconfirmed: SentClaim[] = [];

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
  }

  /** Slots that are neither taken nor reserved for a claim under way. */
  get free(): number {
    return this.#deps.slots.free - this.#claims.keptSlots;
  }

  /** Notes that this process cancelled a run: a claim under way may have taken it just before. */
  cancel(runId: string): void {
    this.#claims.noteCancelled(runId);
  }

  /**
   * Claims runs for the slots that are free now. Undefined, and no statement,
   * when none is or no job is registered.
   *
   * @throws {DatabaseUnavailableError}
   */
  async take({ atMost, deadlineMs, isWanted }: TakeOptions): Promise<Taken | undefined> {
    const { slots, registry, onEnd } = this.#deps;
    const limit = Math.min(this.free, atMost);
    if (limit <= 0 || registry.isEmpty) return undefined;
    const takesSuspect = !slots.hasSuspect && !this.#claims.mayTakeSuspect;
    try {
      return await this.#claims.follow({ limit, takesSuspect }, (underWay) =>
        this.#take(underWay, { deadlineMs, isWanted }),
      );
    } finally {
      onEnd();
    }
  }

  /** Resolves when the claims that are under way now are over. */
  async settled(): Promise<void> {
    await this.#claims.settled();
  }

  async #take(
    underWay: ClaimUnderWay,
    { deadlineMs, isWanted }: Pick<TakeOptions, 'deadlineMs' | 'isWanted'>,
  ): Promise<Taken> {
    const { clock } = this.#deps;
    const unconfirmed = this.#unconfirmed.pop();
    const sent = unconfirmed ?? { claimToken: newClaimToken(), sentAtMs: clock.monotonicMs() };
    const isAskedAgain = unconfirmed !== undefined;
    const claim = await this.#claim(underWay, { ...sent, isAskedAgain, deadlineMs });
    // The trigger of one of these runs resolves before the run starts.
    await new Promise<void>((resolve) => defer(resolve));
    const found = claim.runs.length + claim.lost.length;
    return {
      slots: await this.#accept(claim, { underWay, isWanted, claimedAtMs: sent.sentAtMs }),
      isEmpty: found === 0,
      hasMore: claim.more && found === underWay.limit,
    };
  }

  async #claim(
    { limit, takesSuspect }: ClaimUnderWay,
    {
      claimToken,
      sentAtMs,
      isAskedAgain,
      deadlineMs,
    }: SentClaim & Pick<ClaimRequest, 'isAskedAgain' | 'deadlineMs'>,
  ): Promise<Claim> {
    const { store, registry, staleThresholdMs } = this.#deps;
    const jobNames = registry.names();
    try {
      return await store.claim({
        jobNames,
        limit,
        claimToken,
        isAskedAgain,
        staleThresholdMs,
        takesSuspect,
        deadlineMs,
      });
    } catch (error) {
      this.#unconfirmed.push({ claimToken, sentAtMs });
      throw error;
    }
  }

  /** Starts the runs that fit into the slots, and hands the others back. */
  async #accept(
    { runs, lost }: Claim,
    {
      underWay,
      isWanted,
      claimedAtMs,
    }: { underWay: ClaimUnderWay; isWanted: () => boolean; claimedAtMs: number },
  ): Promise<Slot[]> {
    const { bus, slots, store } = this.#deps;
    bus.publish(lost.map((run) => ({ run, note: { type: 'run:fail', message: run.error } })));
    this.#logLost(lost);
    const held = await stillHeld(runs, underWay, store);
    const fitting = isWanted() ? slots.fitting(held, underWay) : [];
    await slots.handBack(held.filter((run) => !fitting.includes(run)));
    bus.publish(fitting.map((run) => ({ run, note: claimNote(run) })));
    this.#logBegun(fitting);
    return fitting.flatMap((run) => slots.fill(run, { claimedAtMs }) ?? []);
  }

  #logLost(lost: readonly LostRun[]): void {
    const { log, bus } = this.#deps;
    const isHeard = bus.isHeard('run:fail');
    for (const run of lost) log.failed(run, { error: run.error, failedStepName: UNKNOWN_STEP, isHeard });
  }

  #logBegun(runs: readonly ClaimedRun[]): void {
    const { log } = this.#deps;
    for (const run of runs) {
      if (run.kind === 'takeover') log.takenOver(run);
      else if (run.kind === 'resume' || run.attempt > 1) log.resumed(run);
    }
  }
}

function claimNote({ kind, payload }: ClaimedRun): JournalNote {
  return kind === 'resume' ? { type: 'run:resume' } : { type: 'run:start', data: payload };
}
