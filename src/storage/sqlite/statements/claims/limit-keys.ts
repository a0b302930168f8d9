import type { LimitKeys } from '../../../../core/triggers/limits.ts';

/** The key of a throttle that counts for a whole job. */
const WHOLE_JOB = '*';

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

/** The keys of what is stored with these columns. */
export function readLimitKeys({
  limit_key,
  rate_key,
}: {
  readonly limit_key: string | null;
  readonly rate_key: string | null;
}): LimitKeys {
  return {
    limitKey: limit_key === null ? undefined : limit_key.slice(1),
    throttleKey: rate_key === null ? undefined : rate_key === WHOLE_JOB ? null : rate_key.slice(1),
  };
}
