import { dropPromises } from '../../../core/errors/dropped.ts';
import { errorMessage } from '../../../core/errors/error-text.ts';
import { StepError } from '../../../core/errors/errors.ts';
import { decodeJson, type Jsonified } from '../../../core/json/json.ts';
import { type FailedTry, nextTryInMs, parseRetries, type RetryPolicy } from '../../../core/retries/retry.ts';
import type { RunStepOptions, StepContext, StepFunction } from '../../../core/step.ts';
import { parseDuration } from '../../../core/time/duration.ts';
import { parseFlag } from '../../../core/validation/flag.ts';
import { checkMembers, type MembersOf } from '../../../core/validation/known-names.ts';
import type { StepCall } from './step-calls.ts';
import type { StepPort } from './step-port.ts';

const OPTIONS: MembersOf<RunStepOptions> = { retries: true, timeout: true, sensitive: true };

/** What a step does when it fails or takes long. */
interface StepPolicy {
  readonly retries: RetryPolicy;
  /** The time limit of one try. Undefined for none. */
  readonly timeoutMs: number | undefined;
  /** Only the job may see what it returns or throws. */
  readonly isSensitive: boolean;
}

/** `step.run`: calls a function and stores its result, or answers with the stored one. */
export function createRunStep(port: StepPort, defaults: RunStepOptions = {}): StepContext['run'] {
  const defaultPolicy = policyOf(defaults);
  return <T>(name: string, ...rest: [unknown, unknown?]) => {
    const [fn, options] = rest.length > 1 ? [rest[1], rest[0]] : [rest[0], undefined];
    return port.begin(() => runStep<T>(port, { name, fn, options, defaults, defaultPolicy }));
  };
}

interface RunStepCall {
  readonly name: string;
  readonly fn: unknown;
  readonly options: unknown;
  readonly defaults: RunStepOptions;
  readonly defaultPolicy: StepPolicy;
}

async function runStep<T>(port: StepPort, given: RunStepCall): Promise<Jsonified<T>> {
  const { policy, fault } = policyOrFault(given);
  // A stored step is replayed, whatever its options are now.
  const optionFault = port.isStored(given.name, 'run') ? undefined : fault;
  const call = port.enter(given.name, typeof given.fn === 'function' ? optionFault : 'needs a function');
  if (call.state === 'refused') dropPromises([given.fn, given.options]);
  if (call.state === 'refused') return await port.refuse(call);
  call.isSensitive = policy.isSensitive;
  const stored = port.replay(call);
  if (stored !== undefined) return decodeJson(await stored) as Jsonified<T>;
  call.hasRetries = policy.retries.limit > 0;
  const fn = given.fn as StepFunction<T>;
  const open = port.openStep(call, 'run');
  if (open !== undefined) await port.untilDue(call, { kind: 'retry', dueAtMs: open.dueAtMs });
  for (let attempt = (open?.tries ?? 0) + 1; ; attempt++) {
    if (port.isDraining) return await port.suspend('handed-back', call);
    port.start(call);
    let output: string | null;
    try {
      const { timeoutMs } = policy;
      output = port.encode(
        call,
        await port.call(call, { timeoutMs, attempt }, async (signal) => await fn(signal, { attempt })),
      );
    } catch (error) {
      const next = nextTryOf(call, policy.retries, { attempt, error });
      if (next.kind === 'none') return await port.fail(call, next.error);
      await port.retryLater(call, { attempt, error, inMs: next.inMs });
      continue;
    }
    await port.complete(call, output);
    return decodeJson(output) as Jsonified<T>;
  }
}

type NextTry =
  | { readonly kind: 'in'; readonly inMs: number }
  | { readonly kind: 'none'; readonly error: unknown };

function nextTryOf({ name }: StepCall, retries: RetryPolicy, failed: FailedTry): NextTry {
  const { error } = failed;
  try {
    const inMs = nextTryInMs(retries, failed);
    return inMs === undefined ? { kind: 'none', error } : { kind: 'in', inMs };
  } catch (fault) {
    const message = `Step "${name}": its delay of retries failed: ${errorMessage(fault)}`;
    return { kind: 'none', error: new StepError(message, { cause: error }) };
  }
}

function policyOf({ retries, timeout, sensitive }: RunStepOptions): StepPolicy {
  return {
    retries: parseRetries('retries', retries),
    timeoutMs: timeout === undefined ? undefined : parseDuration('timeout', timeout),
    isSensitive: parseFlag('sensitive', sensitive),
  };
}

/** The step's own options before its job's defaults. */
function policyOrFault({ options, defaults, defaultPolicy }: RunStepCall): {
  readonly policy: StepPolicy;
  readonly fault: string | undefined;
} {
  if (options === undefined) return { policy: defaultPolicy, fault: undefined };
  try {
    checkMembers('step option', options, OPTIONS);
    const {
      retries = defaults.retries,
      timeout = defaults.timeout,
      sensitive = defaults.sensitive,
    } = options as RunStepOptions;
    return { policy: policyOf({ retries, timeout, sensitive }), fault: undefined };
  } catch (error) {
    return { policy: defaultPolicy, fault: `can't run: ${errorMessage(error)}` };
  }
}
