import type { RunStepOptions, StepContext, StepFunction } from '../../../core/step.ts';
import type { StepPort } from './step-port.ts';
import { defaultsOf, functionAndOptions, type TriedKind, tryStep } from './step-tries.ts';

/** `step.run`: calls a function and stores its result, or answers with the stored one. */
export function createRunStep(port: StepPort, options: RunStepOptions = {}): StepContext['run'] {
  const defaults = defaultsOf(options);
  return <T>(name: string, ...rest: [unknown, unknown?]) => {
    const given = functionAndOptions(rest);
    const fn = given.fn as StepFunction<T>;
    const kind: TriedKind = {
      execute: async (call, { timeoutMs, attempt }) =>
        port.encode(
          call,
          await port.call(call, { timeoutMs, attempt }, async (signal) => await fn(signal, { attempt })),
        ),
      complete: (call, output) => port.complete(call, output),
    };
    return port.begin(() => tryStep<T>(port, kind, { name, ...given, defaults }));
  };
}
