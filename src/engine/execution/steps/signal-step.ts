import { errorMessage } from '../../../core/errors/error-text.ts';
import { StepError } from '../../../core/errors/errors.ts';
import { decodeJson } from '../../../core/json/json.ts';
import type { StepContext, WaitForSignalOptions } from '../../../core/step.ts';
import { signalNameFault } from '../../../core/text.ts';
import { defer } from '../../../core/time/clock.ts';
import { parseDuration } from '../../../core/time/duration.ts';
import { checkMembers, type MembersOf } from '../../../core/validation/known-names.ts';
import { shownValue } from '../../../core/validation/shown-value.ts';
import { parseWith } from '../../jobs/schema-parse.ts';
import type { SignalBox, TakenSignal } from './signal-box.ts';
import type { StepCall } from './step-calls.ts';
import type { StepPort } from './step-port.ts';

const OPTIONS: MembersOf<WaitForSignalOptions> = { signal: true, timeout: true, schema: true };

/** A longer payload is stored before the job continues: the database may refuse it. */
const MAX_NOTED_CHARS = 64 * 1024;

/** `step.waitForSignal`: waits for a signal, and takes it. */
export function createSignalStep(port: StepPort, signals: SignalBox): StepContext['waitForSignal'] {
  return (name: string, options: WaitForSignalOptions = {}) =>
    port.begin(() => waitForSignal({ port, signals }, name, options)) as Promise<never>;
}

async function waitForSignal(
  { port, signals }: { readonly port: StepPort; readonly signals: SignalBox },
  name: string,
  options: WaitForSignalOptions,
): Promise<unknown> {
  const asked = checkOptions(port, options);
  const call = port.enter(name, port.isStored(name, 'signal') ? undefined : asked.fault, {
    putsToWait: true,
  });
  if (call.state === 'refused') return await port.refuse(call);
  const stored = port.replay(call);
  if (stored !== undefined) return decodeJson(await stored);
  if (port.isDraining) return await port.suspend('handed-back', call);
  const { signal = call.name, schema } = options;
  // The first call has fixed when its time is up.
  const dueAtMs = port.openStep(call, 'signal')?.dueAtMs ?? asked.dueAtMs;
  port.startWaiting(call, { kind: 'signal', dueAtMs });
  port.keepBusy(call);
  const taken = await signals.take(signal);
  // What is stored came before. The job may ask for it in this turn.
  await new Promise<void>((resolve) => defer(resolve));
  await port.caughtUp();
  port.signal.throwIfAborted();
  if (taken !== undefined) return await take(port, call, { taken, schema });
  if (dueAtMs <= signals.claimedAtMs) {
    await port.complete(call, null, { stepKind: 'signal' });
    return undefined;
  }
  await port.untilDue(call, { kind: 'signal', signal, dueAtMs });
  // Only a later claim of the run, after it was put to wait, finds the signal.
  throw new Error('a wait for a signal does not end in its execution');
}

async function take(
  port: StepPort,
  call: StepCall,
  { taken, schema }: { readonly taken: TakenSignal; readonly schema: WaitForSignalOptions['schema'] },
): Promise<unknown> {
  const of = { stepKind: 'signal', signalSeq: taken.seq } as const;
  let output: string | null = taken.payload;
  if (schema !== undefined) {
    try {
      const parsed = await parseWith(schema, decodeJson(taken.payload));
      if (!parsed.ok) throw new StepError(`Invalid signal: ${parsed.summary}`);
      output = port.encode(call, parsed.value);
    } catch (error) {
      return await port.fail(call, error, of);
    }
  }
  // A later execution would take the same signal, because no other one of its name came before it.
  if ((output?.length ?? 0) > MAX_NOTED_CHARS) await port.complete(call, output, of);
  else port.completeWaiting(call, 'signal', { data: output, signalSeq: taken.seq });
  return decodeJson(output);
}

function checkOptions(
  port: StepPort,
  options: WaitForSignalOptions,
): { readonly dueAtMs: number; readonly fault: string | undefined } {
  try {
    checkMembers('option of waitForSignal', options, OPTIONS);
    const { timeout, signal, schema } = options;
    const fault = signal === undefined ? undefined : signalNameFault(signal);
    if (fault !== undefined) throw new StepError(`signal ${fault}`);
    if (schema !== undefined && typeof schema?.safeParse !== 'function') {
      throw new StepError(`schema must be a zod schema, not ${shownValue(schema)}`);
    }
    const dueAtMs =
      timeout === undefined
        ? Number.POSITIVE_INFINITY
        : Math.ceil(port.nowMs + parseDuration('timeout', timeout));
    return { dueAtMs, fault: undefined };
  } catch (error) {
    return { dueAtMs: 0, fault: `can't wait for a signal: ${errorMessage(error)}` };
  }
}
