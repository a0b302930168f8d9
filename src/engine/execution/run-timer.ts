import { RunTimeoutError } from '../../core/errors/errors.ts';
import type { Clock } from '../../core/time/clock.ts';
import type { Execution } from './execution.ts';

/**
 * Stops the execution when the run's time is up. The database's clock has decided when that is. The
 * returned function ends the watch.
 */
export function watchDeadline(
  { run: { deadline }, control, databaseNowMs }: Pick<Execution, 'run' | 'control' | 'databaseNowMs'>,
  clock: Clock,
): () => void {
  if (deadline === undefined) return () => undefined;
  const { atMs, text } = deadline;
  return clock.schedule(Math.max(0, atMs - databaseNowMs()), () =>
    control.timeOut(new RunTimeoutError(text)),
  );
}
