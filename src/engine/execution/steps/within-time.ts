import { onAbort } from '../../../core/abort-listeners.ts';
import { StepTimeoutError } from '../../../core/errors/errors.ts';
import { callWithinRun } from '../../../core/run-context.ts';
import type { Clock } from '../../../core/time/clock.ts';
import type { RunControl } from '../run-control.ts';

/**
 * Calls a step's function with a signal of its own, which aborts when the time is up, and
 * when the run is no longer this worker's.
 *
 * @throws {StepTimeoutError} once the time is up, though the function may go on.
 */
export async function withinTime<T>(
  call: (signal: AbortSignal) => Promise<T>,
  {
    stepName,
    timeoutMs,
    clock,
    control,
  }: {
    readonly stepName: string;
    readonly timeoutMs: number;
    readonly clock: Clock;
    readonly control: RunControl;
  },
): Promise<T> {
  const controller = control.createController();
  const stopListening = onAbort(control.signal, () => controller.abort(control.signal.reason));
  let cancelTimer: () => void = () => undefined;
  const timeUp = new Promise<never>((_, reject) => {
    cancelTimer = clock.schedule(timeoutMs, () => {
      const error = new StepTimeoutError(stepName, timeoutMs);
      reject(error);
      // The listeners are the job's code.
      callWithinRun(control.lease, () => controller.abort(error));
    });
  });
  try {
    return await Promise.race([call(controller.signal), timeUp]);
  } finally {
    cancelTimer();
    stopListening();
  }
}
