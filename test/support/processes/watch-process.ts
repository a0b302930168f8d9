import { onTestFinished } from 'vitest';

/** The errors and warnings during the test for which Node would have ended the process or printed a warning. */
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
