import {
  type Context,
  context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { ErrorDetailMode } from '../../core/errors/error-detail.ts';
import type { DurablyPlugin, PluginRun, PluginStep, PluginTrigger } from '../../core/plugins/plugin.ts';
import { checkOptions, errorDetailOption, type OptionSchemas } from '../../core/validation/option-types.ts';
import {
  type ErrorText,
  markFailed,
  RUN_OUTCOME,
  runAttributes,
  STEP_OUTCOME,
  stepAttributes,
  triggerAttributes,
} from './attributes.ts';
import { hasTracer } from './provider.ts';
import { fromStoredTrace, type StoredTrace, toStoredTrace } from './trace-parent.ts';

/** What spans tell of runs. */
export interface TracingOptions {
  /** What spans tell of errors. With `message` they have no stacks. Default: `full`. */
  readonly errorDetail?: ErrorDetailMode | undefined;
}

const TRACING_OPTIONS: OptionSchemas<TracingOptions> = { errorDetail: errorDetailOption };

/**
 * A plugin that makes spans of triggers, executions of runs, and tries of steps, in one trace. It uses the OpenTelemetry SDK
 * that is registered when it is called; without one, it is a plugin without hooks.
 *
 * @throws {ValidationError} for a bad option.
 * @example
 * import { createDurably } from 'durably'
 * import { tracing } from 'durably/opentelemetry'
 *
 * const durably = createDurably({ dialect, use: [tracing()] })
 */
export function tracing(options: TracingOptions = {}): DurablyPlugin<StoredTrace> {
  checkOptions('tracing option', options, TRACING_OPTIONS);
  const name = 'tracing';
  if (!hasTracer()) return { name };
  const spans = new RunSpans(trace.getTracer('durably'), options.errorDetail ?? 'full');
  return {
    name,
    onTrigger: (trigger) => spans.ofTrigger(trigger),
    aroundRun: (run, next) => spans.aroundRun(run, next),
    aroundStep: (step, next) => spans.aroundStep(step, next),
  };
}

/** One execution of a run. */
interface Execution {
  readonly span: Span;
  readonly context: Context;
  /** The tries of steps that are under way. */
  readonly steps: Set<Span>;
}

class RunSpans {
  readonly #tracer: Tracer;
  readonly #errorDetail: ErrorDetailMode;
  readonly #executions = new WeakMap<PluginRun<StoredTrace>, Execution>();

  constructor(tracer: Tracer, errorDetail: ErrorDetailMode) {
    this.#tracer = tracer;
    this.#errorDetail = errorDetail;
  }

  /** The place of the new run in the trace. A schedule is no run: each of its runs has a trace of its own. */
  ofTrigger(trigger: PluginTrigger): StoredTrace | undefined {
    if (trigger.kind === 'schedule') return undefined;
    const span = this.#tracer.startSpan(`create ${trigger.jobName}`, {
      kind: SpanKind.PRODUCER,
      attributes: triggerAttributes(trigger),
    });
    span.end();
    return toStoredTrace(span.spanContext());
  }

  async aroundRun(run: PluginRun<StoredTrace>, next: () => Promise<string>): Promise<void> {
    const execution = this.#start(run);
    const { span, steps } = execution;
    this.#executions.set(run, execution);
    try {
      span.setAttribute(RUN_OUTCOME, await context.with(execution.context, next));
    } catch (error) {
      span.setAttribute(RUN_OUTCOME, 'failed');
      markFailed(span, error, this.#errorTextOf(run));
      throw error;
    } finally {
      // Their functions may never settle: nothing waits for them any more.
      for (const step of steps) step.setAttribute(STEP_OUTCOME, 'abandoned').end();
      steps.clear();
      span.end();
    }
  }

  async aroundStep(step: PluginStep<StoredTrace>, next: () => Promise<void>): Promise<void> {
    const execution = this.#executions.get(step.run);
    if (execution === undefined) return await next();
    const { steps } = execution;
    const parent = parentOf(execution);
    const options = { kind: SpanKind.INTERNAL, attributes: stepAttributes(step) };
    const span = this.#tracer.startSpan(`step ${step.stepName}`, options, parent);
    steps.add(span);
    try {
      await context.with(trace.setSpan(parent, span), next);
      if (steps.has(span)) span.setAttribute(STEP_OUTCOME, 'completed');
    } catch (error) {
      if (steps.has(span)) this.#fail(step, span, error);
      throw error;
    } finally {
      if (steps.delete(span)) span.end();
    }
  }

  /** A step that is aborted together with its run has not failed. */
  #fail({ run }: PluginStep<StoredTrace>, span: Span, error: unknown): void {
    if (run.signal.aborted) {
      span.setAttribute(STEP_OUTCOME, 'abandoned');
      return;
    }
    span.setAttribute(STEP_OUTCOME, 'failed');
    markFailed(span, error, this.#errorTextOf(run));
  }

  /** A message may repeat a payload. What the database may not hold is not sent elsewhere. */
  #errorTextOf({ isEncoded }: PluginRun<StoredTrace>): ErrorText {
    return isEncoded ? 'name' : this.#errorDetail;
  }

  /** Never within the active span: a claim may be made while some other run, or a request, is active. */
  #start(run: PluginRun<StoredTrace>): Execution {
    const origin = fromStoredTrace(run.data);
    const parent = origin === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, origin);
    const span = this.#tracer.startSpan(
      `process ${run.jobName}`,
      {
        kind: SpanKind.CONSUMER,
        attributes: runAttributes(run),
        links: origin === undefined ? [] : [{ context: origin }],
      },
      parent,
    );
    return { span, context: trace.setSpan(parent, span), steps: new Set() };
  }
}

/** The active context, if the job has a span of its own around the step. */
function parentOf(execution: Execution): Context {
  const active = context.active();
  const { traceId } = execution.span.spanContext();
  return trace.getSpanContext(active)?.traceId === traceId ? active : execution.context;
}
