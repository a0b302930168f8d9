import { callWithinStep } from '../../../core/run-context.ts';
import type { Clock } from '../../../core/time/clock.ts';
import type { PluginCalls } from '../../plugins/plugin-calls.ts';
import type { RunControl } from '../run-control.ts';
import type { StepCall, StepCalls } from './step-calls.ts';
import { withinTime } from './within-time.ts';

/** One call of a step's function. */
export interface CodeCall {
  readonly call: StepCall;
  readonly timeoutMs: number | undefined;
  /** Which try of the step it is. */
  readonly attempt: number;
  /** What is open while the function runs. */
  readonly transaction?: object | undefined;
}

interface CodeDeps {
  /** The execution that the steps called inside belong to. */
  readonly owner: object;
  readonly control: RunControl;
  readonly clock: Clock;
  readonly calls: StepCalls;
  /** Undefined if no plugin is called around steps. */
  readonly pluginCalls?: PluginCalls | undefined;
}

/**
 * Calls a function of the job's in the context of its run and step, within the plugins.
 *
 * @throws {StepTimeoutError} once the time is up.
 */
export function callCode<T>(
  { call, timeoutMs, attempt, transaction }: CodeCall,
  { owner, control, clock, calls, pluginCalls }: CodeDeps,
  code: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { name: stepName, index: stepIndex } = call;
  const limited = () =>
    timeoutMs === undefined
      ? code(control.signal)
      : withinTime(code, { stepName, clock, control, timeoutMs });
  const own = () => callWithinStep(control.lease, { owner, name: stepName, transaction }, limited);
  if (pluginCalls === undefined) return own();
  const within = async () => {
    // A plugin may have taken its time.
    control.throwIfOver();
    return own();
  };
  return pluginCalls.aroundStep({ stepName, stepIndex, attempt }, within, (error) =>
    calls.isSensitive(error, call),
  );
}
