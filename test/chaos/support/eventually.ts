import { setTimeout as pause } from 'node:timers/promises';

const GIVE_UP_MS = 40_000;

/** Repeats the condition until it returns a truthy value, and returns that value. Errors count as not yet. */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  { withinMs = GIVE_UP_MS, everyMs = 20 }: { withinMs?: number; everyMs?: number } = {},
): Promise<Exclude<NonNullable<T>, false>> {
  const start = performance.now();
  let failure: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as Exclude<NonNullable<T>, false>;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    if (performance.now() - start > withinMs) {
      throw new Error(`gave up waiting for ${what} after ${withinMs} ms`, { cause: failure });
    }
    await pause(everyMs);
  }
}
