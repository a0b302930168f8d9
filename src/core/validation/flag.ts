import { ValidationError } from '../errors/errors.ts';
import { shownValue } from './shown-value.ts';

/** True or false; false unless given. @throws {ValidationError} that names the option and the value. */
export function parseFlag(option: string, given: unknown): boolean {
  if (given === undefined || typeof given === 'boolean') return given ?? false;
  const message = `${option} must be true or false, not ${shownValue(given)}`;
  throw new ValidationError(message, [{ path: option.split('.'), message }]);
}
