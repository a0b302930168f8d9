import { dropPromises } from '../../../core/errors/dropped.ts';
import { errorMessage } from '../../../core/errors/error-text.ts';
import { StepError } from '../../../core/errors/errors.ts';
import { decodeJson, type Jsonified } from '../../../core/json/json.ts';
import { type FailedTry, nextTryInMs, parseRetries, type RetryPolicy } from '../../../core/retries/retry.ts';
import type { RunStepOptions } from '../../../core/step.ts';
import { parsePositiveDuration } from '../../../core/time/duration.ts';
import { parseFlag } from '../../../core/validation/flag.ts';
import { checkMembers, type MembersOf } from '../../../core/validation/known-names.ts';
import type { StepCall } from './step-calls.ts';
import type { OutcomeOf } from './step-outcomes.ts';
import type { StepPort } from './step-port.ts';

const OPTIONS: MembersOf<RunStepOptions> = { retries: true, timeout: true, sensitive: true };

/** What a step does when it fails or takes long. */
export interface StepPolicy {
  readonly retries: RetryPolicy;
  /** The time limit of one try. Undefined for none. */
  readonly timeoutMs: number | undefined;
  /** Only the job may see what it returns or throws. */
  readonly isSensitive: boolean;
}

/** The defaults of a job's steps. */
export interface StepDefaults {
  readonly options: RunStepOptions;
  readonly policy: StepPolicy;
}

export interface StepTryOf {
  readonly timeoutMs: number | undefined;
  readonly attempt: number;
}

/** A kind of step that calls a function of the job, again if it fails and has retries. */
export interface TriedKind {
  readonly of?: OutcomeOf;
  /** Calls the function. Returns its result as JSON text, null for undefined. What it throws fails the try. */
  readonly execute: (call: StepCall, about: StepTryOf) => Promise<string | null>;
  /** Stores the result, if that is not done yet. */
  readonly complete: (call: StepCall, output: string | null) => Promise<void> | void;
}

interface TriedCall {
  readonly name: string;
  readonly fn: unknown;
  readonly options: unknown;
  readonly defaults: StepDefaults;
}

/** The arguments of a call: with options, or without. */
export function functionAndOptions(rest: readonly [unknown, unknown?]): Pick<TriedCall, 'fn' | 'options'> {
  return rest.length > 1 ? { fn: rest[1], options: rest[0] } : { fn: rest[0], options: undefined };
}

export function defaultsOf(options: RunStepOptions): StepDefaults {
  return { options, policy: policyOf(options) };
}

/** Answers with the stored result, or tries until the step is completed or has failed. */
export async function tryStep<T>(port: StepPort, kind: TriedKind, given: TriedCall): Promise<Jsonified<T>> {
  const { policy, fault } = policyOrFault(given);
  // A stored step is replayed, whatever its options are now.
  const optionFault = port.isStored(given.name, 'run') ? undefined : fault;
  const call = port.enter(given.name, typeof given.fn === 'function' ? optionFault : 'needs a function');
  if (call.state === 'refused') {
    dropPromises([given.fn, given.options]);
    return await port.refuse(call);
  }
  call.isSensitive = policy.isSensitive;
  const stored = port.replay(call);
  if (stored !== undefined) return decodeJson(await stored) as Jsonified<T>;
  call.hasRetries = policy.retries.limit > 0;
  const open = port.openStep(call, 'run');
  if (open !== undefined) await port.untilDue(call, { kind: 'retry', dueAtMs: open.dueAtMs });
  for (let attempt = (open?.tries ?? 0) + 1; ; attempt++) {
    if (port.isDraining) return await port.suspend('handed-back', call);
    port.start(call);
    let output: string | null;
    try {
      output = await kind.execute(call, { timeoutMs: policy.timeoutMs, attempt });
    } catch (error) {
      const next = nextTryOf(call, policy.retries, { attempt, error });
      if (next.kind === 'none') return await port.fail(call, next.error, kind.of);
      await port.retryLater(call, { attempt, error, inMs: next.inMs });
      continue;
    }
    await kind.complete(call, output);
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
    timeoutMs: timeout === undefined ? undefined : parsePositiveDuration('timeout', timeout),
    isSensitive: parseFlag('sensitive', sensitive),
  };
}

/** The step's own options before its job's defaults. */
function policyOrFault({ options, defaults }: TriedCall): {
  readonly policy: StepPolicy;
  readonly fault: string | undefined;
} {
  if (options === undefined) return { policy: defaults.policy, fault: undefined };
  try {
    checkMembers('step option', options, OPTIONS);
    const {
      retries = defaults.options.retries,
      timeout = defaults.options.timeout,
      sensitive = defaults.options.sensitive,
    } = options as RunStepOptions;
    return { policy: policyOf({ retries, timeout, sensitive }), fault: undefined };
  } catch (error) {
    return { policy: defaults.policy, fault: `can't run: ${errorMessage(error)}` };
  }
}
