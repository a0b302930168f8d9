/** Writes one line for the operator. */
export function log(message: string): void {
  console.log(`durably: ${message}`);
}

export function logWarning(message: string): void {
  console.warn(`durably: warning: ${message}`);
}

/** The service must survive a closed terminal, or a log reader that has exited. */
export function surviveClosedOutputs(): void {
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);
}
