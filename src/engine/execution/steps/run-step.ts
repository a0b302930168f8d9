import { decodeJson, type Jsonified } from '../../../core/json/json.ts';
import type { StepContext } from '../../../core/step.ts';
import type { StepPort } from './step-port.ts';

type StepFunction<T> = (signal: AbortSignal) => T | Promise<T>;

/** `step.run`: calls a function and stores its result, or answers with the stored one. */
export function createRunStep(port: StepPort): StepContext['run'] {
  return (name, fn) => port.begin(() => runStep(port, name, fn));
}

async function runStep<T>(port: StepPort, name: string, fn: StepFunction<T>): Promise<Jsonified<T>> {
  const call = port.enter(name, typeof fn === 'function' ? undefined : 'needs a function');
  if (call.state === 'refused') return await port.refuse(call);
  const stored = port.replay(call);
  if (stored !== undefined) return decodeJson(await stored) as Jsonified<T>;
  if (port.isDraining) return await port.suspend('handed-back');
  port.start(call);
  let output: string | null;
  try {
    const { signal } = port;
    output = port.encode(call, await port.call(call, async () => await fn(signal)));
  } catch (error) {
    return await port.fail(call, error);
  }
  await port.complete(call, output);
  return decodeJson(output) as Jsonified<T>;
}
