import type { StoredRun } from '../run.ts';
import type { TimeLimit } from '../time/time-limit.ts';
import type { LimitKeys } from './limits.ts';

/** A run to be stored, its payload, keys and labels already checked. */
export interface NewRun extends LimitKeys {
  readonly id: string;
  readonly jobName: string;
  /** JSON text. */
  readonly payload: string;
  readonly idempotencyKey: string | null;
  readonly concurrencyKey: string | null;
  /** JSON text; null without any. */
  readonly labels: string | null;
  /** When it may be executed. Undefined for at once. */
  readonly due?: Due | undefined;
  /** Runs with a higher priority come first. Default: 0. */
  readonly priority?: number | undefined;
  /** It fails if it was not claimed this long after it was due. */
  readonly ttl?: TimeLimit | undefined;
  /** It fails if it has not ended this long after its first claim. */
  readonly timeout?: TimeLimit | undefined;
  /** How long its idempotency key counts; ms. Undefined for as long as the run exists. */
  readonly idempotencyTtlMs?: number | undefined;
  /** Whether a run of its job and concurrency key is returned instead: a pending or delayed one, or any active one. */
  readonly coalesce?: 'skip' | 'active' | undefined;
  /** Its own webhook as its trigger gave it, not checked yet. */
  readonly webhook?: unknown;
  /** What plugins store with it, by their names: JSON text. */
  readonly pluginData?: string | undefined;
  /** Whether a delayed run of its job and this key is postponed instead, and gets its payload and labels. */
  readonly debounce?: Debounce | undefined;
}

/** A run that waits until nobody has triggered it for a while. */
export interface Debounce {
  readonly key: string;
  /** How long it waits after the last trigger; ms. */
  readonly delayMs: number;
  /** How long it waits at most after the first one; ms. */
  readonly maxDelayMs: number | undefined;
}

/** A time, by the database's clock. */
export type Due =
  /** This long after the run is stored. */
  | { readonly afterMs: number }
  /** Ms since the epoch. */
  | { readonly atMs: number };

/**
 * What became of a trigger. `created`: a new run. Otherwise there was one already: `idempotent`, of its idempotency key;
 * `coalesced`, of its concurrency key; `debounced`, of its debounce key, which was postponed.
 */
export type Disposition = 'created' | 'idempotent' | 'coalesced' | 'debounced';

/** The result of enqueueing a run. */
export interface Enqueued {
  readonly runId: string;
  readonly disposition: Disposition;
  /** The stored run. Made only when called, because most callers need only the id. */
  readonly toRun: () => StoredRun;
  /** JSON text: the payload with which the run's idempotency key came, if a debounced trigger has changed it since. */
  readonly keyedPayload?: string | undefined;
}

/** A run that a step triggers, besides its payload. */
export type ChildStart = Omit<
  NewRun,
  'payload' | 'idempotencyKey' | 'idempotencyTtlMs' | 'coalesce' | 'debounce' | 'webhook'
>;
