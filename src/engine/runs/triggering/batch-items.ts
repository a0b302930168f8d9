import type { TriggerOptions } from '../../../core/durably.ts';
import { ValidationError } from '../../../core/errors/errors.ts';
import { nearestName, shorten } from '../../../core/validation/known-names.ts';
import { shownValue } from '../../../core/validation/shown-value.ts';

/** One run to trigger. */
export interface BatchItem {
  readonly input: unknown;
  readonly options?: TriggerOptions | undefined;
}

/**
 * The items of a batch. An object with exactly the key `input`, or the keys `input` and `options`,
 * is an item. Any other element is an input.
 *
 * @param optionNames the options of a trigger.
 * @throws {ValidationError} for a value that is no list, for a hole in the list, and for an element
 * that has `input` beside a name that looks like a mistyped `options`.
 */
export function batchItems(given: unknown, optionNames: readonly string[]): BatchItem[] {
  if (!Array.isArray(given)) {
    throw new ValidationError(`batchTrigger must be given a list of inputs, not ${shownValue(given)}`);
  }
  // Unlike `map`, `from` visits holes.
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
