import { errorMessage, ValidationError } from '../core/errors.ts';
import type { WorkerOptions } from './worker.ts';

/** What users give, as they name it. */
interface GivenOptions {
  readonly pollingInterval?: number | undefined;
  readonly heartbeatInterval?: number | undefined;
  readonly staleThreshold?: number | undefined;
  readonly maxConcurrentRuns?: number | undefined;
}

/** @throws {ValidationError} that names a bad option and its value. */
export function checkWorkerOptions(options: GivenOptions): WorkerOptions {
  const milliseconds = (
    name: 'pollingInterval' | 'heartbeatInterval' | 'staleThreshold',
    byDefault: number,
  ) => {
    const value: unknown = options[name] === undefined ? byDefault : options[name];
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
    throw new ValidationError(`${name} must be a positive number of ms, not ${errorMessage(value)}`);
  };
  const pollingIntervalMs = milliseconds('pollingInterval', 1_000);
  const heartbeatIntervalMs = milliseconds('heartbeatInterval', 5_000);
  const staleThresholdMs = milliseconds('staleThreshold', 30_000);
  if (heartbeatIntervalMs >= staleThresholdMs) {
    throw new ValidationError(
      `heartbeatInterval (${heartbeatIntervalMs}) must be less than staleThreshold (${staleThresholdMs})`,
    );
  }
  const maxConcurrentRuns: unknown = options.maxConcurrentRuns === undefined ? 1 : options.maxConcurrentRuns;
  if (
    typeof maxConcurrentRuns !== 'number' ||
    !Number.isInteger(maxConcurrentRuns) ||
    maxConcurrentRuns < 1
  ) {
    throw new ValidationError(
      `maxConcurrentRuns must be a positive whole number, not ${errorMessage(maxConcurrentRuns)}`,
    );
  }
  return { pollingIntervalMs, heartbeatIntervalMs, staleThresholdMs, maxConcurrentRuns };
}
