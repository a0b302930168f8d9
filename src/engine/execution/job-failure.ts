import { type ErrorDetailMode, encodeErrorDetail } from '../../core/errors/error-detail.ts';
import { errorMessage } from '../../core/errors/error-text.ts';
import { UNKNOWN_STEP } from '../../core/events.ts';
import type { JobFailure } from './ending.ts';

/** How a run fails if this was thrown. */
export function toJobFailure(
  error: unknown,
  { mode, failedStepName }: { readonly mode: ErrorDetailMode; readonly failedStepName?: string | undefined },
): JobFailure {
  return {
    kind: 'failed',
    error: errorMessage(error),
    detail: encodeErrorDetail(error, { mode, stepName: failedStepName }),
    failedStepName: failedStepName ?? UNKNOWN_STEP,
  };
}
