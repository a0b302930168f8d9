import type { Clock } from './time/clock.ts';

/** How long a call waits for the database, counted from its arrival; ms. */
export const CALLER_BUDGET_MS = 10_000;

/** A call of a user, which may need several statements. */
export interface Call {
  /** When its caller is answered at the latest, on the monotonic clock. Default: {@link CALLER_BUDGET_MS} from now. */
  readonly deadlineMs?: number | undefined;
}

/** A call that arrives now. All its statements share its deadline. */
export function newCall(clock: Clock): { readonly deadlineMs: number } {
  return { deadlineMs: clock.monotonicMs() + CALLER_BUDGET_MS };
}
