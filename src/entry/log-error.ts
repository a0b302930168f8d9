import { reportToConsole } from '../core/user-code.ts';

/** Writes an error for the operator, and what the service was doing. */
export function logError(context: string, error: unknown): void {
  reportToConsole(`durably: ${context}:`, error);
}
