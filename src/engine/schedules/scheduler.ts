import { DatabaseUnavailableError } from '../../core/errors/errors.ts';
import { type Plan, planFiring } from '../../core/schedules/plan.ts';
import type { DueSchedule } from '../../core/schedules/schedule.ts';
import type { Fired, Firing } from '../../core/schedules/schedule-store.ts';
import type { Store } from '../../core/store.ts';
import type { Clock } from '../../core/time/clock.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { Registry } from '../jobs/registry.ts';
import type { Plugins } from '../plugins/plugins.ts';
import { eventsOf, toFiring } from './firings.ts';
import { FixedSchedules } from './fixed-schedules.ts';
import { KnownSchedules } from './known-schedules.ts';

/** A slot that came longer ago counts as missed. Where only requests wake the worker, they may be rare. */
const LATE_MS = { resident: 60_000, 'on-demand': 5 * 60_000 };
/** After a firing that the database found too early. */
const MIN_WAIT_MS = 20;
/** While the database fails. */
const MAX_PAUSE_MS = 30_000;

interface SchedulerDeps {
  readonly store: Store;
  readonly bus: EventBus;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly presence: 'resident' | 'on-demand';
  readonly pollingIntervalMs: number;
  readonly maxInputBytes: number;
  readonly plugins: Plugins;
  /** Called when a firing leaves that makes runs. A claim that leaves with it takes them. */
  readonly onFire: () => void;
}

/**
 * Fires the schedules of this process's jobs. Looks tell it which are due now or soon: those of claims, and those of the worker
 * while it has no free slot. It sets a timer for the next one, and needs no slot to fire it.
 *
 * A process only plans. Whether a slot has come, and who fires it, the database decides.
 */
export class Scheduler {
  readonly #deps: SchedulerDeps;
  readonly #lateMs: number;
  readonly fixed: FixedSchedules;
  readonly #known = new KnownSchedules();
  readonly #underWay = new Set<Promise<void>>();
  #isStarted = false;
  /** How often in a row the storing of definitions has failed. */
  #failures = 0;
  #cancelTimer: () => void = () => undefined;
  #cancelRetry: () => void = () => undefined;

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
    this.#lateMs = Math.max(2 * deps.pollingIntervalMs, LATE_MS[deps.presence]);
    this.fixed = new FixedSchedules(deps);
  }

  /** A look returns the schedules whose next slot comes within this time, ms. A worker on demand is gone by then. */
  get withinMs(): number {
    return this.#deps.presence === 'resident' ? 2 * this.#deps.pollingIntervalMs : 0;
  }

  start(): void {
    this.#isStarted = true;
    this.noteJobs();
  }

  /** Jobs were registered, or the worker was started: their definitions may have schedules. */
  noteJobs(): void {
    if (!this.#isStarted || this.fixed.areStored) return;
    this.#follow(
      this.fixed.store().then(({ stored, failures }) => {
        for (const schedule of stored) this.noteChanged(schedule);
        if (failures.length > 0) return this.#storeLater(failures);
        this.#failures = 0;
        // Others may have been registered meanwhile.
        this.noteJobs();
      }),
    );
  }

  /** Sets no more timers. Resolves when no firing is under way. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    this.#known.clear();
    this.#cancelTimer();
    this.#cancelRetry();
    await this.settled();
  }

  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  /**
   * Before a worker on demand looks for work: what is in definitions is stored. What can't be stored now does not keep it from
   * that, and is tried again before it looks the next time.
   *
   * @throws {DatabaseUnavailableError}
   */
  async prepare(): Promise<void> {
    while (!this.fixed.areStored) {
      const { failures } = await this.fixed.store();
      const outage = failures.find((error) => error instanceof DatabaseUnavailableError);
      if (outage !== undefined) throw outage;
      this.#report(failures);
      if (failures.length > 0) return;
    }
  }

  /**
   * Takes what a look has told, and fires what is due. Returns whether a firing leaves.
   *
   * @param schedules as they were when the database answered, just now
   */
  accept(schedules: readonly DueSchedule[]): boolean {
    const nowMs = this.#deps.clock.monotonicMs();
    this.#known.accept(schedules, nowMs);
    return this.#fireDue();
  }

  /** This process has put or resumed a schedule. If its slot comes soon, it is taken at once. Otherwise a look finds it. */
  noteChanged(schedule: DueSchedule): void {
    const { nextAtMs, nowMs, jobName } = schedule;
    const isOurs = this.#isStarted && this.#deps.registry.get(jobName) !== undefined;
    if (isOurs && nextAtMs !== null && nextAtMs <= nowMs + this.withinMs) this.accept([schedule]);
  }

  #fireDue(): boolean {
    const firings: Firing[] = [];
    for (const { schedule, nowMs } of this.#known.candidates(this.#deps.clock.monotonicMs())) {
      const plan = this.#plan(schedule, nowMs);
      if (plan === 'failed') this.#known.postpone(schedule, this.#laterMs());
      else if (plan !== undefined && this.fixed.isDropped(schedule)) this.#remove(schedule);
      else if (plan !== undefined) {
        firings.push(toFiring(schedule, plan));
        this.#known.beginFiring(schedule);
      }
    }
    if (firings.length > 0) this.#fire(firings);
    this.#setTimer();
    return firings.length > 0;
  }

  #plan(schedule: DueSchedule, nowMs: number): Plan | 'failed' | undefined {
    try {
      return planFiring(schedule, { nowMs, lateMs: this.#lateMs });
    } catch (error) {
      // Another version may have stored what this one can't read.
      this.#deps.bus.reportWorkerError({ error, context: 'schedule' });
      return 'failed';
    }
  }

  #remove(schedule: DueSchedule): void {
    this.#known.forget(schedule.id);
    this.#follow(this.fixed.remove(schedule));
  }

  #fire(firings: readonly Firing[]): void {
    const firing = this.#deps.store.fireSlots(firings).then(
      (fired) => this.#noteFired(firings, fired),
      (error: unknown) => {
        this.#known.retryFirings(firings, this.#laterMs());
        this.#setTimer();
        throw error;
      },
    );
    this.#follow(firing);
    if (firings.some(({ runs }) => runs.length > 0)) this.#deps.onFire();
  }

  #noteFired(firings: readonly Firing[], fired: Fired): void {
    const { bus, clock } = this.#deps;
    bus.publish(eventsOf(firings, fired, this.#known.jobNames()));
    const nowMs = clock.monotonicMs();
    const current = new Map(fired.schedules.map((schedule) => [schedule.id, schedule]));
    for (const { scheduleId, slotMs, revision } of firings) {
      const schedule = current.get(scheduleId);
      const goesOn = schedule !== undefined && !schedule.isPaused && schedule.nextAtMs !== null;
      // After a stop nothing would wake it for the next slot.
      if (!goesOn || !this.#isStarted) {
        this.#known.forget(scheduleId);
        continue;
      }
      const isTooEarly = schedule.revision === revision && schedule.nextAtMs === slotMs;
      this.#known.endFiring(schedule, { nowMs, notBeforeMs: isTooEarly ? nowMs + MIN_WAIT_MS : nowMs });
    }
    this.#fireDue();
  }

  /** For the slot that comes first. */
  #setTimer(): void {
    this.#cancelTimer();
    if (!this.#isStarted) return;
    const { clock } = this.#deps;
    const firstMs = this.#known.firstSlotMs();
    if (firstMs === Number.POSITIVE_INFINITY) return;
    const inMs = Math.max(0, Math.ceil(firstMs - clock.monotonicMs()));
    this.#cancelTimer = clock.schedule(inMs, () => this.#fireDue());
  }

  #storeLater(failures: readonly unknown[]): void {
    this.#report(failures);
    this.#cancelRetry();
    if (!this.#isStarted) return;
    this.#cancelRetry = this.#deps.clock.schedule(this.#pauseMs(), () => this.noteJobs());
  }

  /** After one more failure. */
  #pauseMs(): number {
    return Math.min(MAX_PAUSE_MS, this.#deps.pollingIntervalMs * 2 ** this.#failures++);
  }

  #laterMs(): number {
    return this.#deps.clock.monotonicMs() + this.#deps.pollingIntervalMs;
  }

  /** Reports what goes wrong in the background. */
  #follow(work: Promise<void>): void {
    const followed = work
      .catch((error: unknown) => this.#report([error]))
      .finally(() => this.#underWay.delete(followed));
    this.#underWay.add(followed);
  }

  #report(errors: readonly unknown[]): void {
    for (const error of errors) this.#deps.bus.reportWorkerError({ error, context: 'schedule' });
  }
}
