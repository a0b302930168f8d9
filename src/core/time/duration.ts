import { ValidationError } from '../errors/errors.ts';
import { shownValue } from '../validation/shown-value.ts';

/** A length of time: ms as a number, or one number and one unit: `'500ms'`, `'30s'`, `'5m'`, `'2h'`, `'7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const TEXT = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** Ten years of 365 days. */
const MAX_MS = 10 * 365 * UNITS_MS.d;

/**
 * A duration in ms.
 *
 * @param option what it is given for, as the message names it.
 * @throws {ValidationError} for anything else, a negative one, and one beyond ten years.
 */
export function parseDuration(option: string, given: unknown): number {
  const ms = typeof given === 'string' ? textMs(given) : given;
  if (typeof ms === 'number' && ms >= 0 && ms <= MAX_MS) return ms;
  const message = `${option} must be a duration of at most ten years, such as 500 (ms), '30s', '5m', '2h' or '7d', not ${shownValue(given)}`;
  throw new ValidationError(message, [{ path: option.split('.'), message }]);
}

/**
 * A duration in whole ms, rounded up, that is longer than 0.
 *
 * @throws {ValidationError} that names the option and the value.
 */
export function parsePositiveDuration(option: string, given: unknown): number {
  const ms = Math.ceil(parseDuration(option, given));
  if (ms > 0) return ms;
  const message = `${option} must be longer than 0, not ${shownValue(given)}`;
  throw new ValidationError(message, [{ path: option.split('.'), message }]);
}

function textMs(text: string): number | undefined {
  const [, number, unit] = TEXT.exec(text) ?? [];
  if (number === undefined) return undefined;
  return Number(number) * UNITS_MS[unit as keyof typeof UNITS_MS];
}

/**
 * A point in time, ms since the epoch, from a Date or an ISO 8601 text with a time zone.
 *
 * @throws {ValidationError} for anything else.
 */
export function parseTime(option: string, given: unknown): number {
  const ms = given instanceof Date ? given.getTime() : typeof given === 'string' ? isoMs(given) : Number.NaN;
  // The year of a later time has more than four digits, which ISO 8601 does not have. Times before 1970 are
  // all over, so they become 0.
  if (ms < MAX_TIME_MS) return Math.max(0, ms);
  const message = `${option} must be a Date or an ISO 8601 time with a time zone, not ${shownValue(given)}`;
  throw new ValidationError(message, [{ path: option.split('.'), message }]);
}

const ISO_TIME = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;
const MAX_TIME_MS = Date.UTC(10_000, 0);

function isoMs(text: string): number {
  const [isTime, year, month, day] = ISO_TIME.exec(text) ?? [];
  if (isTime === undefined) return Number.NaN;
  // JavaScript takes 30 February for 2 March.
  const lastDay = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate();
  return Number(day) <= lastDay ? Date.parse(text) : Number.NaN;
}
