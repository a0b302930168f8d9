import type { WorkOptions } from '../../core/durably.ts';
import { ValidationError } from '../../core/errors/errors.ts';
import { checkMembers, type MembersOf } from '../../core/validation/known-names.ts';
import { anyOption, type OptionSchemas } from '../../core/validation/option-types.ts';
import { shownValue } from '../../core/validation/shown-value.ts';

const LOCAL_RESULT_BYTES = 16 * 1024 * 1024;
/** A row of a libSQL server holds at most 5 MB. */
const REMOTE_RESULT_BYTES = 4 * 1024 * 1024;
/** Base64 makes four bytes of three. */
const REMOTE_ENCODED_RESULT_BYTES = 3 * 1024 * 1024;

/** The checked options of a worker. */
export interface WorkerOptions {
  /** `on-demand`: it works only in shifts, and `start` does nothing. */
  readonly presence: 'resident' | 'on-demand';
  readonly pollingIntervalMs: number;
  readonly heartbeatIntervalMs: number;
  readonly staleThresholdMs: number;
  readonly maxConcurrentRuns: number;
  readonly maxResultBytes: number;
}

/** How long `stop` waits, and whether the worker may be started again. */
export interface StopOptions {
  /** After this time the steps' signals abort, and the runs are handed back for another worker to take at once; ms. */
  readonly timeoutMs?: number | undefined;
  /**
   * For a process that is about to end. This instance claims no run again, whatever is called later
   * (`start`, `init`, `processOne`, `processUntilIdle`).
   */
  readonly final?: boolean | undefined;
}

/** The options under the names that users give them. */
interface GivenOptions {
  readonly pollingInterval?: number | undefined;
  readonly heartbeatInterval?: number | undefined;
  readonly staleThreshold?: number | undefined;
  readonly maxConcurrentRuns?: number | undefined;
  readonly maxResultBytes?: number | undefined;
  readonly worker?: WorkerOptions['presence'] | undefined;
}

/** Some values depend on others, so {@link checkWorkerOptions} checks them. */
export const WORKER_OPTIONS: OptionSchemas<GivenOptions> = {
  pollingInterval: anyOption,
  heartbeatInterval: anyOption,
  staleThreshold: anyOption,
  maxConcurrentRuns: anyOption,
  maxResultBytes: anyOption,
  worker: anyOption,
};

/** The options of a worker. The default of `maxResultBytes` is added when the database is known. */
type CheckedOptions = Omit<WorkerOptions, 'maxResultBytes'> & { readonly maxResultBytes: number | undefined };

/** On demand, the platform limits the number of requests, and streams poll no more often than this. */
const FLUSH_ON_DEMAND_AFTER_MS = 1_000;

/** How long telemetry waits before it is stored by itself, ms. Undefined for the usual time. */
export function flushAfterMs({ presence }: Pick<WorkerOptions, 'presence'>): number | undefined {
  return presence === 'on-demand' ? FLUSH_ON_DEMAND_AFTER_MS : undefined;
}

/** The default of `maxResultBytes`, which depends on the database. */
export function defaultResultBytes({
  isRemote,
  isEncoded,
}: {
  readonly isRemote: boolean;
  /** Whether plugins encode what is stored. */
  readonly isEncoded: boolean;
}): number {
  if (!isRemote) return LOCAL_RESULT_BYTES;
  return isEncoded ? REMOTE_ENCODED_RESULT_BYTES : REMOTE_RESULT_BYTES;
}

/** @throws {ValidationError} that names a bad option and its value. */
export function checkWorkerOptions(options: GivenOptions): CheckedOptions {
  const pollingIntervalMs = milliseconds('pollingInterval', options.pollingInterval) ?? 1_000;
  const heartbeatIntervalMs = milliseconds('heartbeatInterval', options.heartbeatInterval) ?? 5_000;
  const staleThresholdMs = milliseconds('staleThreshold', options.staleThreshold) ?? 30_000;
  if (heartbeatIntervalMs >= staleThresholdMs) {
    throw new ValidationError(
      `heartbeatInterval (${heartbeatIntervalMs}) must be less than staleThreshold (${staleThresholdMs})`,
    );
  }
  const maxConcurrentRuns = count('maxConcurrentRuns', options.maxConcurrentRuns) ?? 1;
  const maxResultBytes = count('maxResultBytes', options.maxResultBytes);
  const { worker: presence = defaultPresence() } = options;
  if (presence !== 'resident' && presence !== 'on-demand') {
    throw new ValidationError(`worker must be 'resident' or 'on-demand', not ${shownValue(presence)}`);
  }
  return {
    presence,
    pollingIntervalMs,
    heartbeatIntervalMs,
    staleThresholdMs,
    maxConcurrentRuns,
    maxResultBytes,
  };
}

const WORK_OPTIONS: MembersOf<WorkOptions> = { maxRuns: true, timeoutMs: true, signal: true };

/** @throws {ValidationError} that names a bad option and its value. */
export function checkWorkOptions(options: WorkOptions = {}) {
  checkMembers('processUntilIdle option', options, WORK_OPTIONS);
  const { signal } = options;
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw new ValidationError(`signal must be an AbortSignal, not ${shownValue(signal)}`);
  }
  return {
    maxRuns: count('maxRuns', options.maxRuns) ?? Number.POSITIVE_INFINITY,
    timeoutMs: milliseconds('timeoutMs', options.timeoutMs),
    signal,
  };
}

/** On Cloudflare Workers nothing may continue between two requests. */
function defaultPresence(): WorkerOptions['presence'] {
  return globalThis.navigator?.userAgent === 'Cloudflare-Workers' ? 'on-demand' : 'resident';
}

function milliseconds(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw new ValidationError(`${name} must be a positive number of ms, not ${shownValue(value)}`);
}

function count(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1) return value;
  throw new ValidationError(`${name} must be a positive whole number, not ${shownValue(value)}`);
}
