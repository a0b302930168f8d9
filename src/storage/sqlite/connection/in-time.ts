import type { Clock } from '../../../core/time/clock.ts';
import type { Closing } from './closing.ts';

/** Rejects if the answer takes too long, because a network may lose it silently. */
export async function inTime<T>(
  answer: Promise<T>,
  {
    withinMs,
    clock,
    closing,
  }: { readonly withinMs: number; readonly clock: Clock; readonly closing: Closing },
): Promise<T> {
  let cancel: () => void = () => undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = clock.schedule(withinMs, () =>
      reject(new Error(`the database has not answered within ${Math.round(withinMs)} ms`)),
    );
  });
  let forget: () => void = () => undefined;
  const closed = new Promise<never>((_, reject) => {
    forget = closing.onClose(reject);
  });
  return await Promise.race([answer, late, closed]).finally(() => {
    cancel();
    forget();
  });
}
