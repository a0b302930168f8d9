import type { DueSchedule } from '../../core/schedules/schedule.ts';
import type { Firing } from '../../core/schedules/schedule-store.ts';

/** A schedule of which a look has told. */
interface KnownSchedule {
  readonly schedule: DueSchedule;
  /** How far the database's clock is ahead of the monotonic clock, ms. The time by it is late, and never early. */
  readonly aheadMs: number;
  /** When it may be fired at the earliest, on the monotonic clock. */
  readonly notBeforeMs: number;
  /** Its firing is under way. */
  readonly isFiring: boolean;
}

/** A schedule that may be fired now, and the time by the database's clock. */
interface Candidate {
  readonly schedule: DueSchedule;
  readonly nowMs: number;
}

/** The schedules that are due now or soon, and when each of them may be fired. All times are on the monotonic clock. */
export class KnownSchedules {
  readonly #known = new Map<string, KnownSchedule>();

  clear(): void {
    this.#known.clear();
  }

  /** @param schedules as they were when the database answered, just now */
  accept(schedules: readonly DueSchedule[], nowMs: number): void {
    for (const schedule of schedules) {
      const known = this.#known.get(schedule.id);
      this.#set(schedule, {
        nowMs,
        notBeforeMs: known?.notBeforeMs ?? nowMs,
        isFiring: known?.isFiring ?? false,
      });
    }
  }

  /** Those that are not being fired, and need not wait. Their slots may still have to come. */
  candidates(nowMs: number): Candidate[] {
    const free = [...this.#known.values()].filter((known) => !known.isFiring && known.notBeforeMs <= nowMs);
    return free.map(({ schedule, aheadMs }) => ({ schedule, nowMs: Math.floor(nowMs + aheadMs) }));
  }

  /** When the first slot comes of those that are not being fired. Infinite if there is none. */
  firstSlotMs(): number {
    let firstMs = Number.POSITIVE_INFINITY;
    for (const { schedule, aheadMs, notBeforeMs, isFiring } of this.#known.values()) {
      if (isFiring || schedule.nextAtMs === null) continue;
      firstMs = Math.min(firstMs, Math.max(notBeforeMs, schedule.nextAtMs - aheadMs));
    }
    return firstMs;
  }

  /** Its firing leaves. */
  beginFiring({ id }: DueSchedule): void {
    this.#change(id, { isFiring: true });
  }

  postpone({ id }: DueSchedule, notBeforeMs: number): void {
    this.#change(id, { notBeforeMs });
  }

  /** The firings have failed. Whether they have fired is not known. */
  retryFirings(firings: readonly Firing[], notBeforeMs: number): void {
    for (const { scheduleId } of firings) this.#change(scheduleId, { notBeforeMs, isFiring: false });
  }

  /** The firing is answered, and the schedule goes on with its next slot. */
  endFiring(schedule: DueSchedule, about: { readonly nowMs: number; readonly notBeforeMs: number }): void {
    if (this.#known.has(schedule.id)) this.#set(schedule, { ...about, isFiring: false });
  }

  forget(id: string): void {
    this.#known.delete(id);
  }

  jobNames(): ReadonlyMap<string, string> {
    return new Map([...this.#known].map(([id, { schedule }]) => [id, schedule.jobName]));
  }

  #set(
    schedule: DueSchedule,
    { nowMs, ...rest }: { readonly nowMs: number } & Pick<KnownSchedule, 'notBeforeMs' | 'isFiring'>,
  ): void {
    this.#known.set(schedule.id, { schedule, aheadMs: schedule.nowMs - nowMs, ...rest });
  }

  #change(id: string, change: Partial<KnownSchedule>): void {
    const known = this.#known.get(id);
    if (known !== undefined) this.#known.set(id, { ...known, ...change });
  }
}
