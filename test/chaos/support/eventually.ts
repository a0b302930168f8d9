import { setTimeout as pause } from 'node:timers/promises';

const GIVE_UP_MS = 40_000;

/** Waits until the condition answers something truthy, and answers that. What fails on the way is tried again. */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  { withinMs = GIVE_UP_MS, everyMs = 10 }: { withinMs?: number; everyMs?: number } = {},
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
