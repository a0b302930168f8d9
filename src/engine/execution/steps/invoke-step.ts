import { ChildRunError } from '../../../core/errors/errors.ts';
import { decodeJson } from '../../../core/json/json.ts';
import type { ChildRun } from '../../../core/ownership/known-step.ts';
import { isTerminal } from '../../../core/run.ts';
import type { StepContext } from '../../../core/step.ts';
import type { ChildTrigger } from '../../../core/triggers/trigger-options.ts';
import type { ChildRuns } from './child-runs.ts';
import type { StepCall } from './step-calls.ts';
import type { StepPort } from './step-port.ts';

const OF = { stepKind: 'invoke' } as const;

interface Given {
  readonly name: string;
  readonly job: unknown;
  readonly input: unknown;
  readonly options: ChildTrigger | undefined;
}

/** `step.invoke`: starts a run and waits for its output. */
export function createInvokeStep(port: StepPort, children: ChildRuns): StepContext['invoke'] {
  return (name: string, job: unknown, input: unknown, options?: ChildTrigger) =>
    port.begin(() => invoke({ port, children }, { name, job, input, options })) as Promise<never>;
}

/** `step.trigger`: starts a run and goes on. */
export function createTriggerStep(port: StepPort, children: ChildRuns): StepContext['trigger'] {
  return (name: string, job: unknown, input: unknown, options?: ChildTrigger) =>
    port.begin(() => trigger({ port, children }, { name, job, input, options }));
}

interface Deps {
  readonly port: StepPort;
  readonly children: ChildRuns;
}

async function invoke({ port, children }: Deps, given: Given): Promise<unknown> {
  const call = port.enter(given.name, undefined, { putsToWait: true });
  if (call.state === 'refused') return await port.refuse(call);
  const stored = port.replay(call);
  if (stored !== undefined) return decodeJson(await stored) ?? null;
  if (port.isDraining) return await port.suspend('handed-back', call);
  port.keepBusy(call);
  const child =
    port.openStep(call, 'invoke')?.child ??
    (await start({ port, children }, call, { ...given, isAwaited: true }));
  const { status } = child;
  if (status !== 'deleted' && !isTerminal(status)) {
    await port.untilDue(call, { kind: 'run', runId: child.runId, dueAtMs: Number.POSITIVE_INFINITY });
    // Only a later claim of this run, after it was put to wait, finds the end of the other run.
    throw new Error('a wait for a run does not end in its execution');
  }
  const ended = await children.endOf(child);
  if (ended instanceof ChildRunError) return await port.fail(call, ended, OF);
  await port.complete(call, ended.output, OF);
  return decodeJson(ended.output) ?? null;
}

async function trigger({ port, children }: Deps, given: Given): Promise<{ runId: string }> {
  const call = port.enter(given.name, undefined);
  if (call.state === 'refused') return await port.refuse(call);
  const stored = port.replay(call);
  if (stored !== undefined) return decodeJson(await stored) as { runId: string };
  if (port.isDraining) return await port.suspend('handed-back', call);
  port.keepBusy(call);
  const { runId } =
    port.openStep(call, 'invoke')?.child ??
    (await start({ port, children }, call, { ...given, isAwaited: false }));
  await port.complete(call, JSON.stringify({ runId }), OF);
  return { runId };
}

/** Starts the step's run. What can't be started fails the step. */
async function start(
  { port, children }: Deps,
  call: StepCall,
  given: Parameters<ChildRuns['make']>[0],
): Promise<ChildRun> {
  try {
    const made = await children.make(given);
    port.startChild(call, made);
    return { runId: made.child.id, status: 'pending', error: null };
  } catch (error) {
    return await port.fail(call, error, OF);
  }
}
