import { reportToConsole } from '../../core/user-code.ts';

/** One line for whoever watches the service. */
export function log(message: string): void {
  console.log(`durably: ${message}`);
}

export function logWarning(message: string): void {
  console.warn(`durably: warning: ${message}`);
}

export function logError(context: string, error: unknown): void {
  reportToConsole(`durably: ${context}:`, error);
}

/** A terminal that was closed, or a log's reader that has gone, must not end the service and its runs. */
export function surviveClosedOutputs(): void {
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);
}
