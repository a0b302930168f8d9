import { signal } from '@preact/signals';

/** How far the service's clock is ahead of the browser's; ms. */
let skewMs = 0;

/** A `Date` header has whole seconds, so small differences mean nothing. */
const NOTABLE_SKEW_MS = 2000;

export function learnClock(dateHeader: string | null): void {
  const theirs = Date.parse(dateHeader ?? '');
  if (Number.isNaN(theirs)) return;
  const difference = theirs + 500 - Date.now();
  skewMs = Math.abs(difference) > NOTABLE_SKEW_MS ? difference : 0;
}

/** The time by the service's clock; ms. */
export const serviceNow = (): number => Date.now() + skewMs;

/** The time by the service's clock, which ticks every second while the page is seen. */
export const now = signal(serviceNow());

setInterval(() => {
  if (document.visibilityState === 'visible') now.value = serviceNow();
}, 1000);

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const;

/** Such as `130 ms`, `1.24 s`, `12.4 s`, `3m 12s` or `2h 05m`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  // Rounded first: 59 min 59.7 s is an hour.
  const wholeMs = Math.round(ms / 1000) * 1000;
  const at = UNITS.findIndex(([, unitMs]) => wholeMs >= unitMs);
  const [unit, unitMs] = UNITS[at] ?? UNITS[3];
  const [nextUnit, nextMs] = UNITS[at + 1] ?? UNITS[3];
  if (ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  const rest = Math.floor((wholeMs % unitMs) / nextMs);
  return `${Math.floor(wholeMs / unitMs)}${unit} ${String(rest).padStart(2, '0')}${nextUnit}`;
}

/** Such as `12 s ago` or `in 3 h`. */
export function formatRelative(atMs: number, nowMs: number): string {
  const ms = Math.abs(nowMs - atMs);
  if (ms < 1500) return atMs <= nowMs ? 'just now' : 'now';
  const [unit, unitMs] = UNITS.find(([, one]) => ms >= one) ?? UNITS[3];
  const text = `${Math.floor(ms / unitMs)} ${unit === 'm' ? 'min' : unit}`;
  return atMs <= nowMs ? `${text} ago` : `in ${text}`;
}

const exact = new Intl.DateTimeFormat(undefined, {
  year: 'numeric',
  month: 'short',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
  fractionalSecondDigits: 3,
  timeZoneName: 'short',
});

export const formatExact = (iso: string): string => `${exact.format(new Date(iso))}\n${iso}`;

/** The time of the day, to the ms: what log lines show. */
export function formatClock(iso: string): string {
  const date = new Date(iso);
  const two = (part: number) => String(part).padStart(2, '0');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
