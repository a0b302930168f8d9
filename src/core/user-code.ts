import { errorMessage } from './errors/error-text.ts';

/**
 * Calls `onRejection` if a user's function returned a promise, or a similar object, that rejects.
 * Nobody awaits that promise, so without this its rejection would end the process. Never throws.
 */
export function watchRejection(answer: unknown, onRejection: (error: unknown) => void): void {
  if ((typeof answer !== 'object' && typeof answer !== 'function') || answer === null) return;
  // Unlike `Promise.resolve` and `instanceof`, this reads only the object's `then`, and survives if that
  // throws.
  new Promise((resolve) => resolve(answer)).then(undefined, onRejection);
}

/** Writes an error to the console, even if the error throws when it is printed. */
export function reportToConsole(message: string, ...errors: unknown[]): void {
  try {
    console.error(message, ...errors);
  } catch {
    console.error(message, ...errors.map(errorMessage));
  }
}
