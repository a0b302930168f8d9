import { newClaimToken } from '../../../core/id.ts';
import { isSealed } from '../../../core/json/sealed.ts';
import type { Claim, ClaimedRun, ClaimRequest, LostRun, Woken } from '../../../core/ownership/claim.ts';
import type { Store } from '../../../core/store.ts';
import { type Clock, defer } from '../../../core/time/clock.ts';
import type { EventBus } from '../../events/event-bus.ts';
import type { RunLog } from '../../events/run-log.ts';
import type { Registry } from '../../jobs/registry.ts';
import type { Scheduler } from '../../schedules/scheduler.ts';
import type { Slot } from '../slots/slot.ts';
import type { Slots } from '../slots/slots.ts';
import { claimNote, logBegun, logLost } from './claim-log.ts';
import { ClaimsUnderWay, type ClaimUnderWay, stillHeld } from './claims-under-way.ts';
import { DueLooks } from './due-looks.ts';
import { withKnownSteps } from './known-steps.ts';
import type { Taken, TakeOptions } from './take-options.ts';

interface IntakeDeps {
  readonly store: Store;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly slots: Slots;
  readonly log: RunLog;
  readonly schedules: Pick<Scheduler, 'withinMs' | 'accept'>;
  readonly staleThresholdMs: number;
  /** After this time without a look for due waiting runs, the next claim looks for them; ms. */
  readonly wakesEveryMs: number;
  /** Called when a claim or a look is sent: what is written now leaves with it. */
  readonly onSend: () => void;
  /** Called when a claim has failed runs: below one whose time was up, runs are to be cancelled. */
  readonly onFailed: () => void;
  /** Told when a throttle lets the next run start. */
  readonly onThrottled: (inMs: number) => void;
  /** Called when a claim is over: slots that were kept for it may be free. */
  readonly onEnd: () => void;
}

/** A claim can be looked up by its token. */
interface SentClaim {
  readonly claimToken: string;
  /** On the monotonic clock. The leases of the runs it took are valid at least from then. */
  readonly sentAtMs: number;
}

type DecidedClaim = ClaimRequest & SentClaim;

/**
 * Claims runs and starts them in slots. Runs get into slots in no other way.
 *
 * A claim leaves with the writes that wait, as the last of them, and what it asks for is
 * decided only then: the slots of runs whose ends leave with it are free by that time.
 */
export class Intake {
  readonly #deps: IntakeDeps;
  readonly #claims = new ClaimsUnderWay();
  /** Claims that failed. They may have taken runs, so the next claim asks for them first. */
  readonly #unconfirmed: SentClaim[] = [];
  #isWaiting = false;
  readonly #looks: DueLooks;

  constructor(deps: IntakeDeps) {
    this.#deps = deps;
    this.#looks = new DueLooks(deps);
  }

  /** Slots that are neither taken nor kept for a claim. */
  get free(): number {
    return this.#deps.slots.free - this.#claims.keptSlots;
  }

  /** Whether a claim waits to leave. It will take all there is, so another claim would find nothing. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** A waiting run is due: the next claim looks for it. */
  expectDue(): void {
    this.#looks.expectRuns();
  }

  /** Notes that this process cancelled a run: a claim under way may have taken it just before. */
  cancel(runId: string): void {
    this.#claims.noteCancelled(runId);
  }

  /**
   * Claims runs for the slots that are free when the claim leaves. Undefined if nothing was
   * asked for: no slot is free, no job is registered, or another claim waits to leave.
   *
   * @throws {DatabaseUnavailableError}
   */
  async take(options: TakeOptions): Promise<Taken | undefined> {
    const { registry, onEnd } = this.#deps;
    if (this.#isWaiting || this.free <= 0 || options.atMost <= 0 || registry.isEmpty) return undefined;
    this.#isWaiting = true;
    try {
      return await this.#claims.follow((underWay) => this.#take(underWay, options));
    } finally {
      onEnd();
    }
  }

  /**
   * Looks for due waiting runs, for runs whose time is up, and for schedules that come soon, without asking for runs. They are
   * due whether a slot is free or not. Returns what there was.
   *
   * @throws {DatabaseUnavailableError}
   */
  async wakeDue(): Promise<Woken> {
    const { store, staleThresholdMs, onSend, schedules, registry } = this.#deps;
    this.#looks.noteLook();
    const look = { jobNames: registry.names(), withinMs: schedules.withinMs };
    return await this.#claims.follow(async () => {
      onSend();
      const woken = await store.wakeDue({ staleThresholdMs, schedules: look }).catch((error: unknown) => {
        this.expectDue();
        throw error;
      });
      if (woken.moreDue) this.expectDue();
      this.#reportLost(woken.lost);
      if (woken.schedules !== undefined) schedules.accept(woken.schedules);
      return woken;
    });
  }

  /** Resolves when the claims that are under way now are over. */
  async settled(): Promise<void> {
    await this.#claims.settled();
  }

  async #take(underWay: ClaimUnderWay, options: TakeOptions): Promise<Taken | undefined> {
    const { request, claim } = await this.#claim(underWay, options);
    if (request === undefined) return undefined;
    const found = claim.runs.length + claim.lost.length;
    underWay.keptSlots = claim.runs.length;
    if (claim.moreDue) this.expectDue();
    // A run that failed has left its place to another one, and passed its concurrency key on.
    const isFiring = claim.schedules !== undefined && this.#deps.schedules.accept(claim.schedules);
    const hasMore = claim.more || claim.moreDue || claim.lost.length > 0 || isFiring;
    options.onAnswer?.({ hasMore, hasLooked: request.wakesDue });
    // Lets the trigger of such a run resolve before the run starts.
    await new Promise<void>((resolve) => defer(resolve));
    return {
      slots: await this.#accept(claim, { underWay, isWanted: options.isWanted, request }),
      isEmpty: found === 0,
      hasMore,
    };
  }

  async #claim(
    underWay: ClaimUnderWay,
    { atMost, deadlineMs, isWanted, onLeave, looksForDue = () => false }: TakeOptions,
  ): Promise<{ request: DecidedClaim | undefined; claim: Claim }> {
    let request: DecidedClaim | undefined;
    let hasLeft = false;
    // Called again if the claim is sent again.
    const decide = ({ seesAll }: { readonly seesAll: boolean }) => {
      if (!hasLeft) this.#isWaiting = false;
      hasLeft = true;
      if (request !== undefined || !isWanted()) return request;
      request = this.#decide(underWay, { atMost, looksForDue: looksForDue(), seesAll });
      // A claim that is asked for again takes no new runs.
      if (seesAll && request?.isAskedAgain === false) onLeave?.();
      return request;
    };
    try {
      const { hasLimits } = this.#deps.registry;
      this.#deps.onSend();
      const claim = await this.#deps.store.claim(decide, { deadlineMs, hasLimits });
      return { request, claim };
    } catch (error) {
      if (request !== undefined) this.#unconfirmed.push(request);
      if (request?.wakesDue) this.expectDue();
      throw error;
    } finally {
      if (!hasLeft) this.#isWaiting = false;
    }
  }

  #decide(
    underWay: ClaimUnderWay,
    {
      atMost,
      looksForDue,
      seesAll,
    }: { readonly atMost: number; readonly looksForDue: boolean; readonly seesAll: boolean },
  ): DecidedClaim | undefined {
    const { clock, registry, slots, schedules, staleThresholdMs } = this.#deps;
    const limit = Math.min(this.free, atMost);
    if (limit <= 0) return undefined;
    const unconfirmed = this.#unconfirmed.pop();
    const sent = unconfirmed ?? { claimToken: newClaimToken(), sentAtMs: clock.monotonicMs() };
    const { forRuns, forSchedules } = this.#looks.begin({ isPoll: looksForDue });
    const takesSuspect = !slots.hasSuspect && !this.#claims.mayTakeSuspect;
    underWay.keptSlots = limit;
    if (seesAll) slots.noteClaim();
    underWay.takesSuspect = takesSuspect;
    return {
      ...sent,
      jobNames: registry.claimedNames(),
      terms: registry.terms(),
      limits: registry.limits(),
      limit,
      isAskedAgain: unconfirmed !== undefined,
      wakesDue: forRuns,
      schedulesWithinMs: forSchedules ? schedules.withinMs : undefined,
      staleThresholdMs,
      takesSuspect,
    };
  }

  /** Starts the runs that fit into the slots, and hands the others back. */
  async #accept(
    { runs, lost }: Claim,
    {
      underWay,
      isWanted,
      request,
    }: { underWay: ClaimUnderWay; isWanted: () => boolean; request: DecidedClaim },
  ): Promise<Slot[]> {
    const { slots, store } = this.#deps;
    this.#reportLost(lost);
    const held = await stillHeld(await withKnownSteps(runs, store), underWay, store);
    const fitting = isWanted() ? slots.fitting(held, request) : [];
    await slots.handBack(held.filter((run) => !fitting.includes(run)));
    this.#publish(fitting.filter(({ payload }) => !isSealed(payload)));
    logBegun(fitting, this.#deps);
    this.#expectStarts(fitting);
    const about = { claimedAtMs: request.sentAtMs };
    // An input is decoded in its run's slot, so that the others need not wait for that.
    const onInput = (run: ClaimedRun) => this.#publish([run]);
    return fitting.flatMap(
      (run) => slots.fill(run, isSealed(run.payload) ? { ...about, onInput } : about) ?? [],
    );
  }

  /** Tells of runs that were claimed. */
  #publish(runs: readonly ClaimedRun[]): void {
    this.#deps.bus.publish(runs.map((run) => ({ run, note: claimNote(run) })));
  }

  /** A start that a throttle allowed is followed by another one when it opens again. */
  #expectStarts(runs: readonly ClaimedRun[]): void {
    for (const { kind, jobName } of runs) {
      const throttle = this.#deps.registry.limitsOf(jobName)?.throttle;
      if (kind === 'start' && throttle !== undefined) this.#deps.onThrottled(throttle.perMs / throttle.limit);
    }
  }

  #reportLost(lost: readonly LostRun[]): void {
    const { bus, onFailed } = this.#deps;
    bus.publish(
      lost.map((run) => ({ run, note: { type: 'run:fail', message: run.error, data: run.detail } })),
    );
    logLost(lost, this.#deps);
    if (lost.length > 0) onFailed();
  }
}
