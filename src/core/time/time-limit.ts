import { type Duration, parsePositiveDuration } from './duration.ts';

/** How long something may take. */
export interface TimeLimit {
  /** Whole ms. */
  readonly ms: number;
  /** How errors show it: as it was given, or as a whole number of the largest unit that allows it. */
  readonly text: string;
}

const UNITS: readonly (readonly [ms: number, unit: string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1_000, 's'],
];

/** A longer text, such as a number with many zeros, is not shown as it was given. */
const MAX_TEXT_LENGTH = 32;

/** @throws {ValidationError} that names the option and the value, if it is no {@link Duration} longer than 0. */
export function parseTimeLimit(option: string, given: unknown): TimeLimit {
  const ms = parsePositiveDuration(option, given);
  return { ms, text: typeof given === 'string' && given.length <= MAX_TEXT_LENGTH ? given : textOf(ms) };
}

/** The limit. Undefined if none is given. */
export function parseOptionalTimeLimit(option: string, given: Duration | null | undefined) {
  return given == null ? undefined : parseTimeLimit(option, given);
}

function textOf(ms: number): string {
  const [unitMs, unit] = UNITS.find(([each]) => ms % each === 0) ?? [1, 'ms'];
  return `${ms / unitMs}${unit}`;
}
