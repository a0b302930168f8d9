import { type ErrorDetail, type ErrorDetailMode, encodeErrorDetail } from '../../core/errors/error-detail.ts';
import { errorMessage } from '../../core/errors/error-text.ts';
import { ChildRunError } from '../../core/errors/errors.ts';
import { toError } from '../../core/errors/stored-error.ts';
import { UNKNOWN_STEP } from '../../core/events.ts';
import { decodeJson } from '../../core/json/json.ts';
import type { FailedStep } from '../../core/ownership/known-step.ts';
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

/** The error of a step that failed in an earlier execution: of its class if that is one of ours, else with its name. */
export function restoreFailure({ error, detail }: FailedStep): Error {
  const stored = decodeJson(detail) as ErrorDetail | undefined;
  const ended = stored?.code === 'CHILD_RUN' ? ChildRunError.parse(error) : undefined;
  return ended ?? toError(stored, error);
}
