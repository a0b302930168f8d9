export const HOUR_MS = 3_600_000;

/** A worker that would not look again by itself for an hour. */
export const PATIENT = { pollingInterval: HOUR_MS };

/** Tried again at once. */
export const AT_ONCE = { delay: 0, jitter: false } as const;
