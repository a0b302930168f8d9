import type { z } from 'zod';
import type { ErrorDetail, ErrorDetailMode } from '../../core/errors/error-detail.ts';
import { ValidationError } from '../../core/errors/errors.ts';
import { toError } from '../../core/errors/stored-error.ts';
import { decodeJson, encodeJson } from '../../core/json/json.ts';
import { isSealed } from '../../core/json/sealed.ts';
import type { ExecutionOutcome } from '../../core/plugins/plugin.ts';
import { callWithinRun } from '../../core/run-context.ts';
import type { StepContext } from '../../core/step.ts';
import type { EventBus } from '../events/event-bus.ts';
import { parseWith } from '../jobs/schema-parse.ts';
import type { NeededValues } from '../plugins/needed-values.ts';
import type { PluginCalls } from '../plugins/plugin-calls.ts';
import type { JobEnd, JobFailure, StopReason } from './ending.ts';
import type { Execution } from './execution.ts';
import { toJobFailure } from './job-failure.ts';
import type { StepCalls } from './steps/step-calls.ts';

interface JobDeps {
  readonly step: StepContext;
  readonly calls: StepCalls;
  readonly needed: NeededValues;
  readonly errorDetail: ErrorDetailMode;
  readonly maxResultBytes: number;
}

/** Runs the job to its end. Never rejects: if the job throws, that is its end. */
export async function runJob(
  { job, run, control }: Execution,
  { step, calls, needed, errorDetail, maxResultBytes }: JobDeps,
): Promise<JobEnd> {
  const callJob = async () => {
    const payload = isSealed(run.payload) ? await needed.input(run) : run.payload;
    const returned = await job.run(step, decodeJson(payload));
    return await encodeOutput(job.output, returned, maxResultBytes);
  };
  try {
    return await callWithinRun(control.lease, callJob);
  } catch (error) {
    const failed = toJobFailure(error, {
      mode: errorDetail,
      failedStepName: calls.failedStepOf(error),
      isSensitive: calls.isSensitive(error),
    });
    return { ...failed, thrown: { error } };
  }
}

interface WithinDeps {
  readonly pluginCalls: PluginCalls;
  readonly bus: EventBus;
  readonly errorDetail: ErrorDetailMode;
}

/**
 * Runs the job within the plugins. They see how the execution ends, but can only make a job fail that did not. What they do
 * after the run was stopped changes nothing.
 */
export async function runWithin(
  { run, control }: Pick<Execution, 'run' | 'control'>,
  job: () => Promise<JobEnd>,
  { pluginCalls, bus, errorDetail }: WithinDeps,
): Promise<JobEnd> {
  let end: JobEnd | undefined;
  const execute = async (): Promise<ExecutionOutcome> => {
    const settled = control.stopReason ?? (await Promise.race([job(), control.stopped]));
    if (typeof settled === 'string') return outcomeOf(settled, control.error);
    end = settled;
    if (end.kind === 'failed') throw thrownBy(end);
    return 'completed';
  };
  let failure: { readonly error: unknown } | undefined;
  try {
    await pluginCalls.aroundRun(execute);
  } catch (error) {
    failure = { error };
  }
  if (end === undefined && failure === undefined) return await new Promise<never>(() => undefined);
  if (end !== undefined && end.kind === 'failed') return end;
  if (end !== undefined && failure === undefined) return end;
  const { error } = failure ?? { error: undefined };
  if (control.isOver && error !== control.error) {
    bus.reportWorkerError({ error, context: 'plugin', runId: run.runId });
  }
  return { ...toJobFailure(error, { mode: errorDetail }), thrown: { error } };
}

/** What plugins get to see of a failure. */
function thrownBy({ thrown, error, detail, isSensitive }: JobFailure): unknown {
  if (isSensitive === true) return toError(decodeJson(detail) as ErrorDetail, error);
  return thrown === undefined ? new ValidationError(error) : thrown.error;
}

/** What a plugin sees of a run that was stopped. @throws what the run fails with */
function outcomeOf(reason: StopReason, error: unknown): ExecutionOutcome {
  switch (reason) {
    case 'timed-out':
    case 'unreadable':
      throw error;
    case 'recalled':
      return 'handed-back';
    case 'lease-expired':
    case 'database-closed':
      return 'lease-lost';
    default:
      return reason;
  }
}

async function encodeOutput(
  schema: z.ZodType | undefined,
  returned: unknown,
  maxBytes: number,
): Promise<JobEnd> {
  let output = returned;
  if (schema) {
    const parsed = await parseWith(schema, returned);
    if (!parsed.ok) return invalidOutput(parsed.summary);
    output = parsed.value;
  }
  const encoding = encodeJson(output, { maxBytes });
  if (!encoding.ok) return invalidOutput(encoding.reason, encoding);
  return { kind: 'completed', output: encoding.text ?? null };
}

/** Without a stack, which would only show this engine. */
export function invalidOutput(reason: string, { cause }: { readonly cause?: unknown } = {}): JobFailure {
  const error = new ValidationError(`Invalid output: ${reason}`);
  if (cause !== undefined) error.cause = cause;
  return toJobFailure(error, { mode: 'message' });
}
