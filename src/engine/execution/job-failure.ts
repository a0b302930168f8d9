import {
  type DetailOptions,
  type ErrorDetail,
  type ErrorDetailMode,
  encodeErrorDetail,
  toErrorDetail,
} from '../../core/errors/error-detail.ts';
import { errorMessage } from '../../core/errors/error-text.ts';
import { toError } from '../../core/errors/stored-error.ts';
import { UNKNOWN_STEP } from '../../core/events.ts';
import { decodeJson } from '../../core/json/json.ts';
import { REDACTED } from '../../core/json/redacted.ts';
import type { JobFailure } from './ending.ts';
import { revive } from './revived-error.ts';

interface FailureOptions {
  readonly mode: ErrorDetailMode;
  readonly failedStepName?: string | undefined;
  /** A sensitive step threw it. Nothing of its text is stored, because no job gets it back. */
  readonly isSensitive?: boolean | undefined;
}

/** How a run fails if this was thrown. */
export function toJobFailure(
  error: unknown,
  { mode, failedStepName, isSensitive = false }: FailureOptions,
): JobFailure {
  const options = { mode: isSensitive ? 'message' : mode, stepName: failedStepName } as const;
  return {
    kind: 'failed',
    error: isSensitive ? REDACTED : errorMessage(error),
    detail: isSensitive ? redactedDetail(error, options) : encodeErrorDetail(error, options),
    failedStepName: failedStepName ?? UNKNOWN_STEP,
    isSensitive,
  };
}

function redactedDetail(error: unknown, options: DetailOptions): string {
  const { name, stepName } = toErrorDetail(error, options);
  return JSON.stringify({ name, message: REDACTED, stepName });
}

/** The error of a step that failed in an earlier execution. @param detail JSON text of an {@link ErrorDetail} */
export function restoreFailure(error: string, detail: string | null): Error {
  return toError(decodeJson(detail) as ErrorDetail | undefined, error, revive);
}
