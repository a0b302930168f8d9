import { dropPromises } from '../../../core/errors/dropped.ts';
import { boundedText } from '../../../core/text.ts';

/** In UTF-16 units: room for a URL or an object's key, and every list, stream and resumed run reads the names. */
const MAX_STEP_NAME_LENGTH = 1024;
/** How much of a name that is too long is shown. */
const SHOWN_BYTES = 64;

/** Why something can't be a step's name; undefined if it can. */
export function stepNameFault(name: unknown): string | undefined {
  if (typeof name !== 'string') {
    dropPromises(name);
    return 'A step needs a name';
  }
  if (name.length >= 1 && name.length <= MAX_STEP_NAME_LENGTH) return undefined;
  const beginning = boundedText(name, SHOWN_BYTES);
  return `A step's name must have 1 to ${MAX_STEP_NAME_LENGTH} characters: "${beginning}" has ${name.length}`;
}
