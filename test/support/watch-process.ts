import { onTestFinished } from 'vitest';

/** What Node would have ended the process for, or warned of, during the test. */
export function watchProcess(): unknown[] {
  const raised: unknown[] = [];
  const note = (what: unknown) => void raised.push(what);
  const events = ['uncaughtException', 'unhandledRejection', 'warning'] as const;
  const before = events.map((event) => process.listeners(event as 'warning'));
  for (const event of events) process.removeAllListeners(event).on(event, note);
  onTestFinished(() => {
    for (const [i, event] of events.entries()) {
      process.removeAllListeners(event);
      for (const listener of before[i] ?? []) process.on(event, listener as () => void);
    }
  });
  return raised;
}
