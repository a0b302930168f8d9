import { Cron } from 'croner';

/** When the slots of a schedule are. Times are ms since the epoch. */
export interface Timing {
  readonly cron: string | null;
  readonly everyMs: number | null;
  readonly timezone: string;
  readonly startAtMs: number | null;
  readonly endAtMs: number | null;
  /** The place of the grid of `everyMs`. */
  readonly anchorMs: number;
}

/** The slots of one rule, in both directions. */
interface Grid {
  /** The first slot after a time. */
  after(ms: number): number | null;
  /** The latest slots up to a time, the latest first. */
  upTo(ms: number, atMost: number): number[];
}

/** The first slot after a time. Null if there is none. */
export function slotAfter(timing: Timing, ms: number): number | null {
  const { startAtMs, endAtMs } = timing;
  const slot = gridOf(timing).after(startAtMs === null ? ms : Math.max(ms, startAtMs - 1));
  return slot === null || (endAtMs !== null && slot >= endAtMs) ? null : slot;
}

/** The first slots after a time. */
export function slotsAfter(timing: Timing, ms: number, atMost: number): number[] {
  const slots: number[] = [];
  for (let slot = slotAfter(timing, ms); slot !== null; slot = slotAfter(timing, slot)) {
    slots.push(slot);
    if (slots.length === atMost) break;
  }
  return slots;
}

/** The latest of the slots from one time to another, both included, in order. */
export function latestSlots(
  timing: Timing,
  { fromMs, untilMs, atMost }: { readonly fromMs: number; readonly untilMs: number; readonly atMost: number },
): number[] {
  const { startAtMs, endAtMs } = timing;
  const firstMs = Math.max(fromMs, startAtMs ?? fromMs);
  const lastMs = endAtMs === null ? untilMs : Math.min(untilMs, endAtMs - 1);
  const grid = gridOf(timing);
  // Most often only one has come, and each takes time to compute.
  for (let count = Math.min(FEW, atMost); ; count = Math.min(MORE * count, atMost)) {
    const slots = grid.upTo(lastMs, count);
    const isAll = slots.length < count || (slots.at(-1) ?? firstMs) < firstMs || count === atMost;
    if (isAll) return slots.filter((slot) => slot >= firstMs).reverse();
  }
}

const FEW = 4;
const MORE = 8;

function gridOf({ cron, everyMs, timezone, anchorMs, startAtMs }: Timing): Grid {
  if (everyMs !== null) return everyGrid(everyMs, { anchorMs, first: startAtMs === null ? 1 : 0 });
  return cronGrid(cron ?? '', timezone);
}

/** @param first the number of the first slot, counted from the anchor */
function everyGrid(everyMs: number, { anchorMs, first }: { anchorMs: number; first: number }): Grid {
  const at = (n: number) => anchorMs + n * everyMs;
  return {
    after: (ms) => at(Math.max(first, Math.floor((ms - anchorMs) / everyMs) + 1)),
    upTo: (ms, atMost) => {
      const last = Math.floor((ms - anchorMs) / everyMs);
      const length = Math.max(0, Math.min(atMost, last - first + 1));
      return Array.from({ length }, (_, i) => at(last - i));
    },
  };
}

function cronGrid(cron: string, timezone: string): Grid {
  const parsed = parseCron(cron, timezone);
  return {
    after: (ms) => parsed.nextRun(new Date(ms))?.getTime() ?? null,
    // Slots are whole seconds, and one at the given time itself counts.
    upTo: (ms, atMost) =>
      parsed.previousRuns(atMost, new Date(Math.floor(ms / 1000) * 1000 + 999)).map((date) => date.getTime()),
  };
}

const MAX_PARSED = 500;
const parsedCrons = new Map<string, Cron>();

/** @throws {Error} for what is no cron expression or no time zone */
export function parseCron(cron: string, timezone: string): Cron {
  const key = `${timezone}\0${cron}`;
  const parsed = parsedCrons.get(key) ?? new Cron(cron, { timezone, mode: '5-or-6-parts', paused: true });
  // The map is in order of use.
  parsedCrons.delete(key);
  parsedCrons.set(key, parsed);
  for (const oldest of parsedCrons.keys()) {
    if (parsedCrons.size <= MAX_PARSED) break;
    parsedCrons.delete(oldest);
  }
  return parsed;
}
