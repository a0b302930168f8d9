import { log, logError } from './report.ts';

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Drains and exits 0 on the first signal; a second one, or `withinMs` gone by, exits at once. */
export function onFirstSignal(drain: () => Promise<void>, withinMs: number): void {
  let isDraining = false;
  const exitLate = () => {
    console.error(`durably: not drained within ${withinMs} ms`);
    process.exit(1);
  };
  for (const [signal, exitCode] of Object.entries(EXIT_CODES)) {
    process.on(signal, () => {
      if (isDraining) process.exit(exitCode);
      isDraining = true;
      log(`${signal}: draining`);
      setTimeout(exitLate, withinMs);
      drain().then(
        () => {
          log('stopped');
          process.exit(0);
        },
        (error: unknown) => {
          logError('draining failed', error);
          process.exit(1);
        },
      );
    });
  }
}
