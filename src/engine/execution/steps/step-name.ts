import { shownValue } from '../../../core/validation/shown-value.ts';

/** In UTF-16 units: room for a URL or an object's key, and every list, stream and resumed run reads the names. */
const MAX_STEP_NAME_LENGTH = 1024;

/** Why something can't be a step's name; undefined if it can. */
export function stepNameFault(name: unknown): string | undefined {
  if (typeof name !== 'string') return `A step needs a name, not ${shownValue(name)}`;
  if (name.length >= 1 && name.length <= MAX_STEP_NAME_LENGTH) return undefined;
  return `A step's name must have 1 to ${MAX_STEP_NAME_LENGTH} characters, not ${shownValue(name)}`;
}
