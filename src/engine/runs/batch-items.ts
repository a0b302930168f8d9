import type { TriggerOptions } from '../../core/durably.ts';
import { ValidationError } from '../../core/errors/errors.ts';
import { nearestName, shorten } from '../../core/validation/known-names.ts';

/** One run to trigger. */
export interface BatchItem {
  readonly input: unknown;
  readonly options?: TriggerOptions | undefined;
}

/**
 * What each element of a batch asks for: an object with exactly the keys `input`
 * and, perhaps, `options` is taken as such a pair, anything else as an input.
 *
 * @param optionNames the options of a trigger.
 * @throws {ValidationError} for what is no list, for a hole in it, and for an
 * element with `input` and, beside it, what looks like a mistyped `options`.
 */
export function batchItems(given: unknown, optionNames: readonly string[]): BatchItem[] {
  if (!Array.isArray(given)) throw new ValidationError('batchTrigger must be given a list of inputs');
  // Unlike `map`, `from` comes by the holes.
  return Array.from({ length: given.length }, (_, index) => {
    if (!(index in given)) {
      throw refusal(index, [], 'is missing: the list has a hole there');
    }
    return toItem(given[index], index, optionNames);
  });
}

function toItem(element: unknown, index: number, optionNames: readonly string[]): BatchItem {
  if (typeof element !== 'object' || element === null || !('input' in element)) return { input: element };
  const others = Object.keys(element).filter((name) => name !== 'input' && name !== 'options');
  if (others.length === 0) return element;
  for (const name of others) {
    if (optionNames.includes(name)) {
      throw refusal(index, [name], `has "${name}" beside "input": it belongs in "options"`);
    }
    if (nearestName(name, ['options']) !== undefined) {
      throw refusal(index, [name], `has "${shorten(name)}" beside "input"; did you mean "options"?`);
    }
  }
  return { input: element };
}

function refusal(index: number, path: readonly string[], what: string): ValidationError {
  const message = `Element ${index} of the batch ${what}`;
  return new ValidationError(message, [{ path: [index, ...path], message }]);
}
