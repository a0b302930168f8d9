import {
  ConflictError,
  InputTooLargeError,
  NotFoundError,
  ValidationError,
} from '../../core/errors/errors.ts';
import { newSignalId } from '../../core/id.ts';
import { encodeJson } from '../../core/json/json.ts';
import { checkRunId, MAX_KEY_LENGTH } from '../../core/run.ts';
import type { Signalled, SignalOptions } from '../../core/signal.ts';
import { MAX_UNTAKEN_SIGNALS, type NewSignal } from '../../core/signal.ts';
import { isStorableText, signalNameFault } from '../../core/text.ts';
import { checkMembers, type MembersOf } from '../../core/validation/known-names.ts';
import { refusalOf } from '../../core/validation/refusal.ts';
import { shownValue } from '../../core/validation/shown-value.ts';
import { type Codec, openJson } from '../plugins/codec.ts';
import type { RunsDeps } from './runs-deps.ts';

const OPTIONS: MembersOf<SignalOptions> = { signalId: true };

type SignalDeps = Pick<RunsDeps, 'store' | 'bus' | 'worker' | 'plugins' | 'maxInputBytes'>;

/** Stores a signal of a run. A step that waits for it takes it. Until then it is kept. */
export async function signal(
  deps: SignalDeps,
  runId: string,
  name: string,
  payload?: unknown,
  options: SignalOptions = {},
): Promise<Signalled> {
  const given = newSignal(deps, { runId, name, payload, options });
  const { codec } = deps.plugins;
  const storing = deps.store.signal(
    codec === undefined ? given : { ...given, payload: await codec.seal(given.payload) },
  );
  // The worker's claim leaves with it, and takes the run that it wakes.
  deps.worker.wake({ mayResume: true });
  const result = await storing;
  switch (result.kind) {
    case 'accepted': {
      const note = { type: 'run:signal', message: name, data: given.payload } as const;
      deps.bus.publish([{ run: { runId, jobName: result.jobName }, note }]);
      return { disposition: 'accepted' };
    }
    case 'duplicate':
      return { disposition: 'duplicate' };
    case 'conflict':
      if (await isSamePayload(codec, given, result.payload)) return { disposition: 'duplicate' };
      throw new ConflictError(`Another signal was sent with the signalId "${options.signalId}"`);
    case 'not-found':
      throw new NotFoundError('Run not found');
    case 'wrong-state':
      throw new ConflictError(`Cannot signal a ${result.status} run`);
    case 'full':
      throw new ConflictError(`The run has ${MAX_UNTAKEN_SIGNALS} signals that no step has taken`);
  }
}

/**
 * The database compares what is stored, and the same payload may be encoded differently each time.
 *
 * @throws {UnreadableError | PluginTimeoutError} if the earlier one can't be decoded here, or now, so that nobody can tell.
 */
async function isSamePayload(
  codec: Codec | undefined,
  { payload }: NewSignal,
  stored: string | null,
): Promise<boolean> {
  return stored !== null && (await openJson(codec, stored)) === payload;
}

/** @throws {ValidationError} that names the bad value. */
function newSignal(
  { maxInputBytes }: Pick<RunsDeps, 'maxInputBytes'>,
  {
    runId,
    name,
    payload,
    options,
  }: {
    readonly runId: string;
    readonly name: unknown;
    readonly payload: unknown;
    readonly options: SignalOptions;
  },
): NewSignal {
  checkMembers('signal option', options, OPTIONS);
  const fault = signalNameFault(name);
  if (fault !== undefined) throw refusalOf([{ path: ['name'], message: `name ${fault}` }]);
  const encoding = encodeJson(payload, { maxBytes: maxInputBytes });
  if (!encoding.ok) {
    const issues = [{ path: ['payload'], message: encoding.reason }];
    const Refusal = encoding.isTooLarge ? InputTooLargeError : ValidationError;
    throw new Refusal(`Invalid payload: ${encoding.reason}`, issues);
  }
  return {
    id: newSignalId(),
    runId: checkRunId(runId),
    name: name as string,
    payload: encoding.text ?? 'null',
    signalId: checkSignalId(options.signalId),
  };
}

function checkSignalId(signalId: unknown): string | null {
  if (signalId === undefined || signalId === null) return null;
  const refuse = (message: string) => refusalOf([{ path: ['signalId'], message: `signalId ${message}` }]);
  if (typeof signalId !== 'string') throw refuse(`must be a string, not ${shownValue(signalId)}`);
  if (signalId.length < 1 || signalId.length > MAX_KEY_LENGTH)
    throw refuse(`must have 1 to ${MAX_KEY_LENGTH} characters, not ${shownValue(signalId)}`);
  if (!isStorableText(signalId)) {
    throw refuse(`must not hold a lone surrogate or a NUL, as ${shownValue(signalId)} does`);
  }
  return signalId;
}
