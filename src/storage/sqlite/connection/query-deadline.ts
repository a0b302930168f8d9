import type { CompiledQuery } from 'kysely';
import { CALLER_BUDGET_MS } from '../../../core/call.ts';
import type { Clock } from '../../../core/time/clock.ts';

const deadlines = new WeakMap<CompiledQuery, number>();

/**
 * Sets a query's deadline. Without it the query has {@link CALLER_BUDGET_MS} from the start of its
 * execution.
 */
export function withDeadline(query: CompiledQuery, deadlineMs: number): CompiledQuery {
  deadlines.set(query, deadlineMs);
  return query;
}

/** When to stop trying, on the monotonic clock. */
export function deadlineOf(query: CompiledQuery, clock: Clock): number {
  return deadlines.get(query) ?? clock.monotonicMs() + CALLER_BUDGET_MS;
}
