import { PluginTimeoutError } from '../../core/errors/errors.ts';
import { callOutsideRuns } from '../../core/run-context.ts';
import type { Clock } from '../../core/time/clock.ts';

/** For what is stored, and for what somebody can't go on without. */
export const NEEDED_WITHIN_MS = 10_000;
/** For what is only shown: something else can be shown in its place. */
export const SHOWN_WITHIN_MS = 2_000;

/** A hook, and how long it may take. */
interface Called {
  readonly plugin: string;
  readonly hook: 'onTrigger' | 'encode' | 'decode';
  readonly withinMs: number;
  readonly clock: Pick<Clock, 'schedule'>;
}

/**
 * Calls a hook of a plugin outside of runs. Nothing waits for it for ever: what it does later is ignored.
 *
 * @throws {PluginTimeoutError} @throws what the hook throws.
 */
export async function callInTime(
  call: () => unknown,
  { plugin, hook, withinMs, clock }: Called,
): Promise<unknown> {
  const answer = callOutsideRuns(call);
  if (typeof answer !== 'object' || answer === null || !('then' in answer)) return answer;
  let cancel: () => void = () => undefined;
  const isLate = new Promise<never>((_, reject) => {
    cancel = clock.schedule(withinMs, () => reject(new PluginTimeoutError(plugin, { hook, withinMs })));
  });
  try {
    return await Promise.race([answer, isLate]);
  } finally {
    cancel();
  }
}
