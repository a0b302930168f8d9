import { errorMessage } from '../../../core/errors/error-text.ts';
import type { StepContext } from '../../../core/step.ts';
import { parseDuration, parseTime } from '../../../core/time/duration.ts';
import type { StepPort } from './step-port.ts';

/** When a sleep that begins now is over: ms since the epoch, by the database's clock. @throws {ValidationError} */
type DueAt = (nowMs: number) => number;

/** `step.sleep`: waits for a duration. */
export function createSleepStep(port: StepPort): StepContext['sleep'] {
  return (name, duration) =>
    port.begin(() => sleep(port, name, (nowMs) => nowMs + parseDuration('duration', duration)));
}

/** `step.sleepUntil`: waits for a time. */
export function createSleepUntilStep(port: StepPort): StepContext['sleepUntil'] {
  return (name, date) => port.begin(() => sleep(port, name, () => parseTime('date', date)));
}

async function sleep(port: StepPort, name: string, dueAt: DueAt): Promise<void> {
  const asked = dueAtOf(dueAt, port.nowMs);
  // The first call fixed the time, so the argument of a later call is not checked.
  const call = port.enter(name, port.isStored(name, 'sleep') ? undefined : asked.fault);
  if (call.state === 'refused') return await port.refuse(call);
  const stored = port.replay(call);
  if (stored !== undefined) {
    await stored;
    return;
  }
  if (port.isDraining) return await port.suspend('handed-back', call);
  const open = port.openStep(call, 'sleep');
  const dueAtMs = open?.dueAtMs ?? asked.dueAtMs;
  // What is over at once never waits: its end is stored with the next outcome, so nothing is kept of its time.
  if (open === undefined && dueAtMs <= asked.nowMs) {
    port.start(call);
    await port.caughtUp();
  } else {
    port.startWaiting(call, { kind: 'sleep', dueAtMs });
    await port.untilDue(call, { kind: 'sleep', dueAtMs });
  }
  port.completeWaiting(call, 'sleep');
}

function dueAtOf(
  dueAt: DueAt,
  nowMs: number,
): { readonly nowMs: number; readonly dueAtMs: number; readonly fault: string | undefined } {
  try {
    return { nowMs, dueAtMs: Math.ceil(dueAt(nowMs)), fault: undefined };
  } catch (error) {
    return { nowMs, dueAtMs: 0, fault: `can't sleep: ${errorMessage(error)}` };
  }
}
