/** A part of a run's time, ms since the epoch. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

const MIN_SPAN_MS = 5;
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500];
const LONG_STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400,
];

/** Where a time stands in a range: 0 is its start, 1 is its end. */
export const placeOf = (atMs: number, { fromMs, toMs }: TimeRange): number =>
  (atMs - fromMs) / (toMs - fromMs);

/** The range, made so long that it can be drawn. */
export function usable(fromMs: number, toMs: number): TimeRange {
  const spanMs = Math.max(MIN_SPAN_MS, toMs - fromMs);
  return { fromMs, toMs: fromMs + spanMs };
}

/** Times for the axis: round ones, counted from the run's begin, at most `most` of them. */
export function ticksOf(
  range: TimeRange,
  beginMs: number,
  most: number,
): { readonly atMs: number; readonly text: string }[] {
  const spanMs = range.toMs - range.fromMs;
  const stepMs = stepFor(spanMs / Math.max(1, most));
  const ticks = [];
  const first = Math.ceil((range.fromMs - beginMs) / stepMs) * stepMs;
  for (let offset = first; beginMs + offset <= range.toMs; offset += stepMs) {
    ticks.push({ atMs: beginMs + offset, text: textOf(offset, stepMs) });
  }
  return ticks;
}

function stepFor(leastMs: number): number {
  const short = STEPS.find((step) => step >= leastMs);
  if (short !== undefined) return short;
  const long = LONG_STEPS.find((step) => step * 1000 >= leastMs);
  return long === undefined ? Math.ceil(leastMs / 86_400_000) * 86_400_000 : long * 1000;
}

function textOf(offsetMs: number, stepMs: number): string {
  if (offsetMs === 0) return '0';
  if (stepMs < 1000) {
    return Math.abs(offsetMs) < 1000
      ? `${Math.round(offsetMs)} ms`
      : `${(offsetMs / 1000).toFixed(stepMs < 10 ? 3 : stepMs < 100 ? 2 : 1)} s`;
  }
  const seconds = Math.round(offsetMs / 1000);
  if (stepMs < 60_000 && seconds < 60) return `${seconds} s`;
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  const parts = [
    days > 0 && `${days}d`,
    hours > 0 && `${hours}h`,
    minutes > 0 && `${minutes}m`,
    seconds % 60 > 0 && `${seconds % 60}s`,
  ].filter((part) => part !== false);
  return parts.slice(0, 2).join(' ');
}

/** The range around one of its times, larger or smaller by a factor, within the whole. */
export function zoomed(range: TimeRange, whole: TimeRange, factor: number, aroundMs: number): TimeRange {
  const spanMs = Math.max(MIN_SPAN_MS, (range.toMs - range.fromMs) * factor);
  if (spanMs >= whole.toMs - whole.fromMs) return whole;
  const fromMs = aroundMs - placeOf(aroundMs, range) * spanMs;
  return within({ fromMs, toMs: fromMs + spanMs }, whole);
}

/** The range moved by some ms, within the whole. */
export const moved = (range: TimeRange, whole: TimeRange, byMs: number): TimeRange =>
  within({ fromMs: range.fromMs + byMs, toMs: range.toMs + byMs }, whole);

function within({ fromMs, toMs }: TimeRange, whole: TimeRange): TimeRange {
  const spanMs = Math.min(toMs - fromMs, whole.toMs - whole.fromMs);
  const start = Math.min(Math.max(fromMs, whole.fromMs), whole.toMs - spanMs);
  return { fromMs: start, toMs: start + spanMs };
}
