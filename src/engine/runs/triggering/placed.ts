import { InputTooLargeError, ValidationError } from '../../../core/errors/errors.ts';

/** Says of a refusal which element of the batch it is about. */
export function placed(error: unknown, index: number): unknown {
  if (!(error instanceof ValidationError) || error instanceof InputTooLargeError) return error;
  return new ValidationError(
    `Run ${index} of the batch: ${error.message}`,
    error.issues.map(({ path, message }) => ({ path: [index, ...path], message })),
  );
}
