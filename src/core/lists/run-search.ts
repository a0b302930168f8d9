import * as z from 'zod';
import { ValidationError } from '../errors/errors.ts';
import { isStorableText } from '../text.ts';
import { parseTime } from '../time/duration.ts';
import { shownValue } from '../validation/shown-value.ts';

/** The most characters of a text that is searched for. */
export const MAX_SEARCH_LENGTH = 256;

/** When a run was created, and what can be found in it. */
export interface RunSearch {
  /** Only runs that were created after this time, by the database's clock: a Date, or an ISO 8601 text with a time zone. */
  readonly createdAfter?: Date | string | undefined;
  /** Only runs that were created before this time. */
  readonly createdBefore?: Date | string | undefined;
  /**
   * Only runs in which this text is found, 1 to 256 characters: the run's id or its beginning, its job's name, its
   * idempotency key, its concurrency key, the value of a label. Of the newest 10,000 runs that match the rest of the
   * filter, also a part of the input, whatever the case of A to Z.
   */
  readonly q?: string | undefined;
}

/** A checked {@link RunSearch}: ms since the epoch. Null for what is not given. */
export interface RunSearchQuery {
  readonly createdAfter: number | null;
  readonly createdBefore: number | null;
  readonly q: string | null;
}

/** Why a value is no time, as a sentence that begins with the name. Undefined if it is one. */
export function timeFault(name: string, given: unknown): string | undefined {
  try {
    parseTime(name, given);
    return undefined;
  } catch (error) {
    if (error instanceof ValidationError) return error.message;
    throw error;
  }
}

/** The issue's path has the name already, so the message leaves it out. */
const time = (name: string) =>
  z
    .unknown()
    .superRefine((given, context) => {
      const fault = given === undefined ? undefined : timeFault(name, given);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: fault.slice(name.length + 1) });
    })
    .transform((given) => (given === undefined ? null : parseTime(name, given)))
    .optional();

/** Why a text can't be searched for, as the end of a sentence about it. Undefined if it can. */
export function searchFault(given: unknown): string | undefined {
  if (typeof given !== 'string' || given.length < 1 || given.length > MAX_SEARCH_LENGTH) {
    return `must be a string of 1 to ${MAX_SEARCH_LENGTH} characters, not ${shownValue(given)}`;
  }
  return isStorableText(given)
    ? undefined
    : `must not hold a NUL or a lone surrogate, as ${shownValue(given)} does`;
}

/** Members of the schema of a filter. */
export const runSearchShape = {
  createdAfter: time('createdAfter'),
  createdBefore: time('createdBefore'),
  q: z
    .custom<string>((given) => searchFault(given) === undefined, {
      error: ({ input }) => searchFault(input) ?? 'is no text',
    })
    .optional(),
};
