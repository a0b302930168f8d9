import { errorMessage } from './errors/error-text.ts';

/**
 * Tells `onRejection` if the answer of a user's function is a promise, or anything
 * like one, that rejects. Nobody waits for the answer: without this its rejection
 * would end the process. Never throws.
 */
export function watchRejection(answer: unknown, onRejection: (error: unknown) => void): void {
  if ((typeof answer !== 'object' && typeof answer !== 'function') || answer === null) return;
  // Unlike `Promise.resolve` and `instanceof` this asks the answer for nothing but its `then`, and survives that.
  new Promise((resolve) => resolve(answer)).then(undefined, onRejection);
}

/** Writes an error to the console, also one that throws when it is looked at. */
export function reportToConsole(message: string, ...errors: unknown[]): void {
  try {
    console.error(message, ...errors);
  } catch {
    console.error(message, ...errors.map(errorMessage));
  }
}
