/** Writes one line for the operator. */
export function log(message: string): void {
  console.log(`durably: ${message}`);
}

/** Writes one line that warns the operator. */
export function logWarning(message: string): void {
  console.warn(`durably: warning: ${message}`);
}

/** The service must survive a closed terminal, or a log reader that has exited. */
export function surviveClosedOutputs(): void {
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);
}
