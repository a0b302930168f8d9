import { type Clock, defer } from '../core/clock.ts';
import { DatabaseUnavailableError } from '../core/errors.ts';
import { newClaimToken } from '../core/id.ts';
import type { Claim, Store } from '../core/store.ts';
import { ClaimsUnderWay, type ClaimUnderWay, stillHeld } from './claims-under-way.ts';
import type { EventBus } from './event-bus.ts';
import type { Registry } from './registry.ts';
import { Slots } from './slots.ts';

const PURGE_INTERVAL_MS = 60 * 60 * 1000;
const MAX_CLAIM_PAUSE_MS = 30_000;
const HAND_BACK_WITHIN_MS = 1_000;

export interface WorkerOptions {
  readonly pollingIntervalMs: number;
  readonly heartbeatIntervalMs: number;
  readonly staleThresholdMs: number;
  readonly maxConcurrentRuns: number;
}

interface WorkerDeps {
  readonly store: Store;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly registry: Registry;
}

/**
 * Fills its slots with claimed runs. It looks for work when a slot frees and
 * when it is woken; else once in each polling interval. A claim that found
 * everything there was is remembered until then, so that a lone run costs no
 * second claim.
 *
 * Slots that free together are filled by one claim; one that frees later does
 * not wait for its answer. Answers may come in another order than the claims
 * were executed: `#hasMore` is then a claim old, and costs a claim in vain or
 * a wait until the next poll.
 */
export class Worker {
  readonly #deps: WorkerDeps;
  readonly #options: WorkerOptions;
  readonly #slots: Slots;
  #state: 'stopped' | 'running' | 'stopping' | 'failed' = 'stopped';
  readonly #claims = new ClaimsUnderWay();
  /** Claims that failed: they may have taken runs all the same, and are asked again. */
  readonly #doubtful: { readonly claimToken: string; readonly sentAtMs: number }[] = [];
  #isLookDue = false;
  #isWoken = false;
  /** The last claim left runs behind, for want of slots. */
  #hasMore = false;
  #nextLookMs = Number.NEGATIVE_INFINITY;
  #failedClaims = 0;
  #cancelPoll: (() => void) | undefined;
  #cancelPurge: (() => void) | undefined;
  #stopping: Promise<void> | undefined;
  #handingBack: Promise<void> | undefined;
  /** Started again during a stop: it starts when that is over, unless stopped again. */
  #isStartDue = false;

  constructor(deps: WorkerDeps, options: WorkerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#slots = new Slots({
      ...deps,
      heartbeatIntervalMs: options.heartbeatIntervalMs,
      staleThresholdMs: options.staleThresholdMs,
      onFree: (run) => {
        // A freed concurrency key may let another run go ahead.
        if (run.concurrencyKey !== null) this.#isWoken = true;
        this.#lookSoon();
      },
    });
  }

  get isRunning(): boolean {
    return this.#state === 'running';
  }

  get isStopping(): boolean {
    return this.#state === 'stopping';
  }

  start(): void {
    if (this.#state === 'running') return;
    if (this.#state === 'stopping') {
      this.#isStartDue = true;
      return;
    }
    this.#isStartDue = false;
    this.#state = 'running';
    this.#failedClaims = 0;
    this.#schedulePurge();
    this.wake();
  }

  /** Looks for work at once, or as soon as a slot is free. */
  wake(): void {
    this.#isWoken = true;
    this.#lookSoon();
  }

  /** Stops the execution of a run that was cancelled in this process. */
  cancel(runId: string): void {
    this.#slots.cancel(runId);
    // A claim under way may have taken it before it was cancelled.
    this.#claims.noteCancelled(runId);
  }

  /** Claims nothing new and waits for the running runs; after `timeoutMs` it hands them back. */
  stop(options: { timeoutMs?: number | undefined } = {}): Promise<void> {
    this.#isStartDue = false;
    if (this.#state === 'stopped') return Promise.resolve();
    this.#state = 'stopping';
    this.#cancelPoll?.();
    this.#cancelPurge?.();
    this.#stopping ??= this.#drain().finally(() => {
      this.#state = 'stopped';
      this.#stopping = undefined;
      this.#handingBack = undefined;
      if (this.#isStartDue) this.start();
    });
    const drained = this.#stopping;
    const { timeoutMs } = options;
    return timeoutMs === undefined ? drained : this.#giveUpAfter(timeoutMs, drained);
  }

  /** Hands back what still runs after that time; a database that doesn't answer is waited for a little longer. */
  #giveUpAfter(timeoutMs: number, drained: Promise<void>): Promise<void> {
    const { clock, bus } = this.#deps;
    let cancel: () => void = () => undefined;
    const givenUp = new Promise<void>((resolve) => {
      cancel = clock.schedule(timeoutMs, () => {
        this.#handingBack ??= this.#slots.handBackAll();
        cancel = clock.schedule(HAND_BACK_WITHIN_MS, () => {
          bus.reportWorkerError({ error: 'the database has not taken the runs back', context: 'hand-back' });
          resolve();
        });
      });
    });
    return Promise.race([drained, givenUp]).finally(() => cancel());
  }

  async #drain(): Promise<void> {
    await this.#claims.settled();
    await this.#slots.settled();
    await this.#handingBack;
  }

  /** After this turn of the event loop, in which more slots may free. */
  #lookSoon(): void {
    if (this.#isLookDue) return;
    this.#isLookDue = true;
    defer(() => {
      this.#isLookDue = false;
      this.#look();
    });
  }

  #look(): void {
    if (this.#state !== 'running') return;
    const free = this.#options.maxConcurrentRuns - this.#slots.taken - this.#claims.keptSlots;
    if (free <= 0) return;
    const { clock, registry } = this.#deps;
    const jobNames = registry.names();
    // Registering a job wakes the worker.
    if (jobNames.length === 0) return;
    this.#cancelPoll?.();
    const waitMs = this.#isWoken || this.#hasMore ? 0 : this.#nextLookMs - clock.monotonicMs();
    if (waitMs > 0) {
      this.#cancelPoll = clock.schedule(waitMs, () => this.#look());
      return;
    }
    this.#isWoken = false;
    this.#nextLookMs = clock.monotonicMs() + this.#pauseMs();
    const takesSuspect = !this.#slots.hasSuspect && !this.#claims.mayTakeSuspect;
    this.#claims.begin(
      { limit: free, takesSuspect },
      (claim) => this.#claim(jobNames, claim),
      () => this.#look(),
    );
  }

  #pauseMs(): number {
    const { pollingIntervalMs } = this.#options;
    if (this.#failedClaims === 0) return pollingIntervalMs;
    const pauseMs = Math.min(MAX_CLAIM_PAUSE_MS, pollingIntervalMs * 2 ** (this.#failedClaims - 1));
    return pauseMs * (0.5 + Math.random() / 2);
  }

  async #claim(jobNames: readonly string[], underWay: ClaimUnderWay): Promise<void> {
    const { store, bus, clock } = this.#deps;
    const { limit, takesSuspect } = underWay;
    const doubtful = this.#doubtful.pop();
    const { claimToken, sentAtMs } = doubtful ?? {
      claimToken: newClaimToken(),
      sentAtMs: clock.monotonicMs(),
    };
    try {
      const claim = await store.claim({
        jobNames,
        limit,
        claimToken,
        isAskedAgain: doubtful !== undefined,
        staleThresholdMs: this.#options.staleThresholdMs,
        takesSuspect,
      });
      this.#failedClaims = 0;
      this.#hasMore = claim.more && claim.runs.length + claim.lost.length === limit;
      // Whoever triggered one of these runs hears of that first.
      await new Promise<void>((resolve) => defer(resolve));
      await this.#accept(claim, { underWay, sentAtMs });
    } catch (error) {
      this.#hasMore = false;
      this.#failedClaims++;
      this.#doubtful.push({ claimToken, sentAtMs });
      bus.reportWorkerError({ error, context: 'claim' });
      if (error instanceof DatabaseUnavailableError && error.permanent) this.#state = 'failed';
    } finally {
      this.#nextLookMs = clock.monotonicMs() + this.#pauseMs();
    }
  }

  async #accept(
    { runs, lost }: Claim,
    { underWay, sentAtMs }: { underWay: ClaimUnderWay; sentAtMs: number },
  ): Promise<void> {
    const { bus, store } = this.#deps;
    bus.publish(lost.map(({ error, ...run }) => ({ type: 'run:fail', ...run, message: error })));
    const held = await stillHeld(runs, underWay, store);
    if (this.#state !== 'running') return await this.#slots.handBack(held);
    const fitting = this.#slots.fitting(held, underWay);
    await this.#slots.handBack(held.filter((run) => !fitting.includes(run)));
    bus.publish(
      fitting.map(({ runId, jobName, attempt, payload }) => ({
        type: 'run:start',
        runId,
        jobName,
        attempt,
        data: payload,
      })),
    );
    for (const run of fitting) this.#slots.fill(run, { claimedAtMs: sentAtMs });
  }

  #schedulePurge(): void {
    this.#cancelPurge?.();
    this.#cancelPurge = this.#deps.clock.schedule(PURGE_INTERVAL_MS, () => {
      this.#deps.store
        .purge()
        .catch((error: unknown) => this.#deps.bus.reportWorkerError({ error, context: 'purge' }));
      this.#schedulePurge();
    });
  }
}
