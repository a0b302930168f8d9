import * as z from 'zod';
import { isA } from '../errors/thrown.ts';
import { isStorableText, WITHOUT_NUL } from '../text.ts';
import { expecting, shownValue } from '../validation/shown-value.ts';

/** Names and values by which lists and streams filter. A run's labels never change. */
export type Labels = Readonly<Record<string, string>>;

/** The most labels that a run can have and a filter can name. */
const MAX_LABELS = 20;
const MAX_KEY_LENGTH = 64;
const MAX_VALUE_LENGTH = 256;
// `__proto__` is refused, because an object that is built key by key loses it.
export const LABEL_KEY = new RegExp(`^(?!__proto__$)[\\w./-]{1,${MAX_KEY_LENGTH}}$`);

/**
 * The schema of labels. With a name, messages begin with `<name>.<key>`. Without one they begin with
 * what is wrong, because the issue's path is shown beside them.
 */
export function labelsSchema(name?: string) {
  const about = (key?: string) => {
    if (name === undefined) return '';
    return key === undefined ? `${name} ` : `${name}.${key.slice(0, MAX_KEY_LENGTH)} `;
  };
  const noObject = expecting(`${about()}must be an object of strings`);
  const record = z
    .record(
      z.string().regex(LABEL_KEY),
      z.string().max(MAX_VALUE_LENGTH).meta({ pattern: WITHOUT_NUL }),
      noObject,
    )
    .meta({ maxProperties: MAX_LABELS });
  // The record's own message would not name the label.
  return z.preprocess((given, context) => {
    // It has no members, so it would be read as no labels.
    if (isA(given, Promise)) return undefined;
    if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
    const labels = Object.entries(given);
    if (labels.length > MAX_LABELS) {
      context.addIssue({
        code: 'custom',
        message: `${about()}must have at most ${MAX_LABELS} keys, not ${labels.length}`,
      });
      return given;
    }
    for (const [key, value] of labels) {
      const fault = faultOf(key, value);
      if (fault !== undefined) {
        const input = LABEL_KEY.test(key) ? value : key;
        context.addIssue({ code: 'custom', path: [key], message: `${about(key)}${fault}`, input });
      }
    }
    return given;
  }, record);
}

/** Labels as they are stored: JSON text, or null if there are none. */
export function encodeLabels(labels: Labels): string | null {
  return Object.keys(labels).length === 0 ? null : JSON.stringify(labels);
}

function faultOf(key: string, value: unknown): string | undefined {
  if (!LABEL_KEY.test(key)) {
    return `must have a key of 1 to ${MAX_KEY_LENGTH} letters, digits and ._/-, not ${shownValue(key)}`;
  }
  if (typeof value !== 'string' || value.length > MAX_VALUE_LENGTH) {
    return `must be one string of at most ${MAX_VALUE_LENGTH} characters, not ${shownValue(value)}`;
  }
  return isStorableText(value)
    ? undefined
    : `must not hold a NUL or a lone surrogate, as ${shownValue(value)} does`;
}
