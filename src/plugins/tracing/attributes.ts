import { type Attributes, type Span, SpanStatusCode } from '@opentelemetry/api';
import type { ErrorDetailMode } from '../../core/errors/error-detail.ts';
import { errorMessage } from '../../core/errors/error-text.ts';
import { UNREADABLE } from '../../core/json/sealed.ts';
import type { PluginRun, PluginStep, PluginTrigger } from '../../core/plugins/plugin.ts';

/** How a span of a run or of a step ended. */
export const RUN_OUTCOME = 'durably.run.outcome';
export const STEP_OUTCOME = 'durably.step.outcome';

/**
 * By the semantic conventions for messaging, in which a job is a destination and a run is a message. They are not stable yet,
 * so their names are written out here: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
 */
function messaging(operation: 'create' | 'process', jobName: string, runId: string | undefined): Attributes {
  return {
    'messaging.system': 'durably',
    'messaging.operation.name': operation,
    'messaging.operation.type': operation,
    'messaging.destination.name': jobName,
    ...(runId !== undefined && { 'messaging.message.id': runId }),
  };
}

export function triggerAttributes({
  jobName,
  runId,
  kind,
  parentRunId,
  sourceRunId,
}: PluginTrigger): Attributes {
  return {
    ...messaging('create', jobName, runId),
    'durably.trigger.kind': kind,
    ...(parentRunId !== null && { 'durably.run.parent_id': parentRunId }),
    ...(sourceRunId !== null && { 'durably.run.source_id': sourceRunId }),
  };
}

export function runAttributes({
  jobName,
  runId,
  attempt,
  kind,
  version,
  parentRunId,
}: PluginRun): Attributes {
  return {
    ...messaging('process', jobName, runId),
    'durably.run.attempt': attempt,
    'durably.run.kind': kind,
    'durably.run.version': version,
    ...(parentRunId !== null && { 'durably.run.parent_id': parentRunId }),
  };
}

export function stepAttributes({ run, stepName, stepIndex, attempt }: PluginStep): Attributes {
  return {
    'durably.job.name': run.jobName,
    'durably.run.id': run.runId,
    'durably.step.name': stepName,
    'durably.step.index': stepIndex,
    'durably.step.attempt': attempt,
  };
}

/** What a span tells of an error: all, all but stacks, or only its name. */
export type ErrorText = ErrorDetailMode | 'name';

/** Marks a span as failed. */
export function markFailed(span: Span, error: unknown, mode: ErrorText): void {
  const message = mode === 'name' ? UNREADABLE : errorMessage(error);
  const type = error instanceof Error ? error.name : typeof error;
  span.setAttribute('error.type', type);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
  const isWhole = mode === 'full' && error instanceof Error;
  span.recordException(isWhole ? error : { name: type, message });
}
