// It imports nothing, so that it can run before everything else is loaded.

/** The signals that end the service. */
const END_SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;

/** Ends the process with 0: there is nothing to drain yet. */
async function end(signal: NodeJS.Signals): Promise<void> {
  try {
    const { log } = await import('./log.ts');
    log.info(`${signal}: stopped before it listened`);
  } finally {
    process.exit(0);
  }
}

const onSignal = (signal: NodeJS.Signals) => void end(signal);

/**
 * From now on a signal ends the process with 0. Called before the service is loaded, which takes a while.
 *
 * @returns what ends that: something else handles the signals.
 */
export function endOnEarlySignals(): () => void {
  const leave = () => {
    for (const signal of END_SIGNALS) process.off(signal, onSignal);
  };
  leave();
  for (const signal of END_SIGNALS) process.on(signal, onSignal);
  return leave;
}
