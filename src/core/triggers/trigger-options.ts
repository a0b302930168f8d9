import type { Duration } from '../time/duration.ts';
import type { RunWebhook } from '../webhooks/webhooks.ts';
import type { Labels } from './labels.ts';

/** A transaction of the caller's: Kysely's `Transaction`. */
export interface CallerTransaction {
  readonly isTransaction: boolean;
}

/** How a run is triggered, besides its input. */
export interface TriggerOptions {
  /** Unique per job, 1 to 256 UTF-16 units. A second trigger with the key returns the run of the first. */
  readonly idempotencyKey?: string | undefined;
  /** How long the idempotency key counts, from its first trigger on. Default: for as long as the run exists. */
  readonly idempotencyTtl?: Duration | undefined;
  /**
   * What a second trigger with the key and another input gets: the run of the first one, or an
   * {@link IdempotencyKeyReusedError}. Default: `return`.
   */
  readonly idempotencyKeyReuse?: 'return' | 'refuse' | undefined;
  /**
   * Whose idempotency key and debounce key it is, 1 to 256 UTF-16 units. The same key in another scope, or
   * in none, is a different key. Runs don't show their scope.
   */
  readonly keyScope?: string | undefined;
  /** At most one run with this key runs at a time, in the order in which they were triggered. 1 to 256 UTF-16 units. */
  readonly concurrencyKey?: string | undefined;
  /**
   * Returns a run of the job and the concurrency key that is there already, instead of a new one. `skip`: a pending or
   * delayed one. `active`: also one that runs or waits. The oldest, if there are several. Needs `concurrencyKey`.
   */
  readonly coalesce?: 'skip' | 'active' | undefined;
  /**
   * The run starts `delay` after the last trigger of the job with this key, and at most `maxDelay` after the first one, with
   * the input and the labels of the last one. Not with `delay`, `runAt` and `coalesce`.
   */
  readonly debounce?:
    | { readonly key: string; readonly delay: Duration; readonly maxDelay?: Duration | undefined }
    | undefined;
  /**
   * For filtering lists and streams. At most 20; keys of 1 to 64 letters, digits and
   * `._/-`, values of up to 256 UTF-16 units.
   */
  readonly labels?: Labels | undefined;
  /** How long the run waits before it may be executed. Not with `runAt`. */
  readonly delay?: Duration | undefined;
  /** The run waits until then: a Date, or an ISO 8601 text with a time zone. With a time that is over it does not wait. */
  readonly runAt?: Date | string | undefined;
  /**
   * A Kysely transaction of `durably.db`, in which the run is stored. It is executed after the commit. If the transaction is
   * rolled back, there is no run. Not in a batch, nor with `triggerAndWait`.
   *
   * @example
   * import { sql } from 'kysely'
   *
   * await durably.db.transaction().execute(async (trx) => {
   *   await sql`insert into orders (id) values (${'order-7'})`.execute(trx)
   *   await durably.trigger({ jobName: 'ship', input: { order: 'order-7' }, trx })
   * })
   */
  readonly trx?: CallerTransaction | undefined;
  /** Runs with a higher priority are claimed first. A whole number from -1000 to 1000. Default: 0. */
  readonly priority?: number | undefined;
  /** The run fails if it has not been started this long after it was due. */
  readonly ttl?: Duration | undefined;
  /**
   * Is told how the run ends, if the instance allows webhooks of single runs. Copies of the run, by `retrigger` and `fork`,
   * don't have it.
   */
  readonly webhook?: RunWebhook | undefined;
  /** How long the run may take from its first start to its end, with its waits and retries. Default: the job's `timeout`. */
  readonly timeout?: Duration | undefined;
}

/** How a step triggers another run, besides its input. The run and the step are its idempotency key. */
export type ChildTrigger = Omit<
  TriggerOptions,
  | 'idempotencyKey'
  | 'idempotencyTtl'
  | 'idempotencyKeyReuse'
  | 'keyScope'
  | 'coalesce'
  | 'debounce'
  | 'trx'
  | 'webhook'
>;
