import { z } from 'zod';
import { isStorableText, WITHOUT_NUL } from './text.ts';

/** What a run is filed under, for filters of lists and streams; never changes. */
export type Labels = Readonly<Record<string, string>>;

/** The most a run has, and the most a filter names. */
const MAX_LABELS = 20;
const MAX_KEY_LENGTH = 64;
const MAX_VALUE_LENGTH = 256;
// An object that is built key by key loses a __proto__.
export const LABEL_KEY = new RegExp(`^(?!__proto__$)[\\w./-]{1,${MAX_KEY_LENGTH}}$`);

/**
 * Checks labels. Messages begin with `<name>.<key>`, or with what is wrong
 * where no name is given because the issue's path is shown beside it.
 */
export function labelsSchema(name?: string) {
  const about = (key?: string) => {
    if (name === undefined) return '';
    return key === undefined ? `${name} ` : `${name}.${key.slice(0, MAX_KEY_LENGTH)} `;
  };
  const noObject = `${about()}must be an object of strings`;
  const record = z
    .record(
      z.string().regex(LABEL_KEY),
      z.string().max(MAX_VALUE_LENGTH).meta({ pattern: WITHOUT_NUL }),
      noObject,
    )
    .meta({ maxProperties: MAX_LABELS });
  // What the record would say of itself doesn't name the label.
  return z.preprocess((given, context) => {
    if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
    const labels = Object.entries(given);
    if (labels.length > MAX_LABELS) {
      context.addIssue({ code: 'custom', message: `${about()}must have at most ${MAX_LABELS} keys` });
      return given;
    }
    for (const [key, value] of labels) {
      const fault = faultOf(key, value);
      if (fault !== undefined) {
        context.addIssue({ code: 'custom', path: [key], message: `${about(key)}${fault}` });
      }
    }
    return given;
  }, record);
}

/** As they are stored: JSON text, null when there are none. */
export function encodeLabels(labels: Labels): string | null {
  return Object.keys(labels).length === 0 ? null : JSON.stringify(labels);
}

function faultOf(key: string, value: unknown): string | undefined {
  if (!LABEL_KEY.test(key)) return `must have a key of 1 to ${MAX_KEY_LENGTH} letters, digits and ._/-`;
  if (typeof value !== 'string' || value.length > MAX_VALUE_LENGTH) {
    return `must be one string of at most ${MAX_VALUE_LENGTH} characters`;
  }
  return isStorableText(value) ? undefined : 'holds a NUL or a lone surrogate';
}
