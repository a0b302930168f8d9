import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { ChildRunError } from '../../../src/core/errors/errors.ts';
import { NonRetryableError } from '../../../src/core/retries/retry-errors.ts';
import type { StepContext } from '../../../src/core/step.ts';
import { defineJob } from '../../../src/engine/jobs/define-job.ts';
import { LedgerPen } from './ledger-pen.ts';

/** One thing that a run of the job `flow` does. Names are those of steps. */
export type FlowAction =
  /** A step whose first `failures` tries fail. It has `retries` retries. */
  | {
      readonly kind: 'run';
      readonly name: string;
      readonly failures: number;
      readonly retries: number;
      readonly delayMs: number;
      readonly ms: number;
    }
  | { readonly kind: 'sleep'; readonly name: string; readonly ms: number }
  | {
      readonly kind: 'signal';
      readonly name: string;
      readonly signal: string;
      readonly timeoutMs?: number | undefined;
    }
  | { readonly kind: 'invoke' | 'trigger'; readonly name: string; readonly plan: FlowPlan }
  /** Does them at once. */
  | { readonly kind: 'together'; readonly actions: readonly FlowAction[] };

export interface FlowPlan {
  /** The step that has started the run; null for a run without a parent. */
  readonly startedBy: string | null;
  readonly actions: readonly FlowAction[];
  /** The job throws at its end in the attempts up to this one. */
  readonly flakyAttempts: number;
  /** The job throws at its end, and is not tried again. */
  readonly fails: boolean;
}

const name = z.string();
const ms = z.number();

const actionSchema: z.ZodType<FlowAction> = z.lazy(() =>
  z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('run'),
      name,
      failures: z.int(),
      retries: z.int(),
      delayMs: ms,
      ms,
    }),
    z.object({ kind: z.literal('sleep'), name, ms }),
    z.object({ kind: z.literal('signal'), name, signal: z.string(), timeoutMs: ms.optional() }),
    z.object({ kind: z.enum(['invoke', 'trigger']), name, plan: planSchema }),
    z.object({ kind: z.literal('together'), actions: z.array(actionSchema) }),
  ]),
);

export const planSchema: z.ZodType<FlowPlan> = z.object({
  startedBy: z.string().nullable(),
  actions: z.array(actionSchema),
  flakyAttempts: z.int(),
  fails: z.boolean(),
});

/** Retries, sleeps, waits for signals and starts other runs of itself, as its plan says. */
export const flow = defineJob({
  name: 'flow',
  input: planSchema,
  retries: { limit: 2, delay: 100, backoff: 'constant' },
  run: async (step, plan) => {
    const pen = new LedgerPen(step.runId);
    const values: unknown[] = [];
    for (const action of plan.actions) values.push(await act(action, step, pen));
    if (step.attempt <= plan.flakyAttempts) throw new Error('this job is flaky');
    if (plan.fails) throw new NonRetryableError('this job fails');
    pen.end();
    return { values };
  },
});

async function act(action: FlowAction, step: StepContext, pen: LedgerPen): Promise<unknown> {
  switch (action.kind) {
    case 'run': {
      const { failures, delayMs, retries: limit } = action;
      const retries = { limit, delay: delayMs, backoff: 'constant' } as const;
      return await step.run(action.name, { retries }, async (_signal, { attempt }) => {
        await pause(action.ms);
        if (attempt <= failures) throw new Error('this step is flaky');
        return pen.effect(action.name);
      });
    }
    case 'sleep':
      return await step.sleep(action.name, action.ms);
    case 'signal':
      return await step.waitForSignal(action.name, { signal: action.signal, timeout: action.timeoutMs });
    case 'invoke':
      return await invoke(action, step);
    case 'trigger':
      return await step.trigger(action.name, 'flow', action.plan);
    case 'together':
      return await Promise.all(action.actions.map((each) => act(each, step, pen)));
  }
}

/** A run that failed or was cancelled does not end the one that waits for it. */
async function invoke(
  action: Pick<Extract<FlowAction, { kind: 'invoke' | 'trigger' }>, 'name' | 'plan'>,
  step: StepContext,
): Promise<unknown> {
  try {
    return await step.invoke(action.name, 'flow', action.plan);
  } catch (error) {
    if (!(error instanceof ChildRunError)) throw error;
    return { status: error.status };
  }
}
