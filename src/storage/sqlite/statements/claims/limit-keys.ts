import type { LimitKeys } from '../../../../core/limits.ts';

/** The key of a throttle that counts for a whole job. */
export const WHOLE_JOB = '*';

/** A run's limit key as it is stored. It may be empty, so a mark comes first. */
export function storedLimitKey({ limitKey }: LimitKeys): string | null {
  return limitKey === undefined ? null : `=${limitKey}`;
}

/** A run's key for its throttle as it is stored. */
export function storedRateKey({ throttleKey }: LimitKeys): string | null {
  if (throttleKey === undefined) return null;
  return throttleKey === null ? WHOLE_JOB : `=${throttleKey}`;
}

/** Whether the run is in a line. */
export function isInLine({ limitKey, throttleKey }: LimitKeys): boolean {
  return limitKey !== undefined || throttleKey !== undefined;
}
