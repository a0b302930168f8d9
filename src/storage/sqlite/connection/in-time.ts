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
  const ends: (() => void)[] = [];
  const given = new Promise<T>((resolve, reject) => {
    const expire = () => reject(new Error(`the database has not answered within ${Math.round(withinMs)} ms`));
    ends.push(clock.schedule(withinMs, expire), closing.onClose(reject));
    answer.then(resolve, reject);
  });
  return await given.finally(() => {
    for (const end of ends) end();
  });
}
