import { type DueSchedule, MAX_MISSED } from './schedule.ts';
import { latestSlots, slotAfter } from './timing.ts';

/** What is to be done with the slots of a schedule that have come. */
export interface Plan {
  /** The slots that get a run, in order. */
  readonly slots: readonly number[];
  /** The plan holds from this time on: when the latest slot has come, or is late. */
  readonly validFromMs: number;
  /** The slot after it. Null: that was the last one. */
  readonly nextAtMs: number | null;
  /** After this time a run of the slot would be late, and the slot counts as missed. Null: it never does. */
  readonly validUntilMs: number | null;
}

/**
 * Decides on the slots that have come. The latest one is in time if it came no longer ago than `lateMs`. The others were
 * missed: a later slot has come since.
 *
 * @param nowMs by the database's clock. It may be late, but not early.
 * @returns undefined if no slot has come
 */
export function planFiring(
  schedule: DueSchedule,
  { nowMs, lateMs }: { readonly nowMs: number; readonly lateMs: number },
): Plan | undefined {
  const { timing, nextAtMs: firstMs, missed, overlap } = schedule;
  if (firstMs === null || firstMs > nowMs) return undefined;
  const nextAtMs = slotAfter(timing, nowMs);
  // Of several runs at once all but one would be skipped, or cancelled.
  const atMost = missed === 'all' && overlap === 'allow' ? MAX_MISSED : 1;
  const come = latestSlots(timing, { fromMs: firstMs, untilMs: nowMs, atMost });
  // A time zone's rules may have changed since the slot was computed.
  const latestMs = come.at(-1) ?? firstMs;
  const isInTime = nowMs - latestMs <= lateMs;
  if (missed !== 'skip') {
    return { slots: come.length > 0 ? come : [firstMs], validFromMs: latestMs, nextAtMs, validUntilMs: null };
  }
  const lateFromMs = latestMs + lateMs;
  if (isInTime) return { slots: [latestMs], validFromMs: latestMs, nextAtMs, validUntilMs: lateFromMs };
  // Nothing is passed over by a process that only believes that it is late.
  return { slots: [], validFromMs: lateFromMs, nextAtMs, validUntilMs: null };
}
