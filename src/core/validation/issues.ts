import * as z from 'zod';
import type { ValidationIssue } from '../errors/errors.ts';
import { shorten, unknownName } from './known-names.ts';
import { notThis, shownValue } from './shown-value.ts';

/** If there are more issues, only their number is reported. An input may contain a million wrong values. */
export const MAX_ISSUES = 20;
/** A message, or a key in a path, may repeat a long text from the input. */
const MAX_MESSAGE_LENGTH = 500;
const MAX_KEY_LENGTH = 100;
/** A longer path is cut, because its beginning says enough. */
const MAX_PATH_LENGTH = 20;
const MAX_SHOWN_PATH = 200;

/** Where and why an input was refused: the first {@link MAX_ISSUES} issues, and how many more there are. */
export function toIssues(error: Pick<z.core.$ZodError, 'issues'>): ValidationIssue[] {
  const issues = error.issues.slice(0, MAX_ISSUES).map(toIssue);
  const rest = error.issues.length - issues.length;
  return rest === 0 ? issues : [...issues, { path: [], message: `and ${rest} more` }];
}

interface Issue {
  readonly path: PropertyKey[];
  readonly message: string;
  /** The value, if it was asked for (`reportInput`). */
  readonly input?: unknown;
}

function toIssue(issue: Issue) {
  const { path } = issue;
  const message = withValue(issue);
  return {
    path: path
      .slice(0, MAX_PATH_LENGTH)
      .map((key) => (typeof key === 'number' ? key : shorten(String(key), MAX_KEY_LENGTH))),
    message: shorten(message, MAX_MESSAGE_LENGTH),
  };
}

/** What a value must be, and what it is: zod's messages don't show that. */
function withValue({ message, input }: Issue): string {
  const isPlain = typeof input !== 'object' && input !== undefined;
  const isAboutIt = !message.includes(', not ') && /^(must|Too|Invalid)/.test(message);
  return isPlain && isAboutIt ? `${message}, not ${shownValue(input)}` : message;
}

/** One line: `amount: expected number; items.0.id: required`. */
export function summarize(issues: readonly ValidationIssue[]): string {
  return issues
    .map(({ path, message }) =>
      path.length === 0 ? message : `${shorten(path.join('.'), MAX_SHOWN_PATH)}: ${message}`,
    )
    .join('; ');
}

/**
 * The schema of an object that has exactly these members. A message names each unknown member and
 * the nearest known one.
 *
 * @param kind what a member is called, such as `query parameter`.
 * @param notObject the message for a value that is no object.
 */
export function knownMembers<TShape extends z.core.$ZodShape>(
  kind: string,
  shape: TShape,
  notObject?: string,
) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') {
        return notObject === undefined ? undefined : `${notObject}${notThis(issue.input)}`;
      }
      const keys: readonly string[] = issue.keys ?? [];
      return keys
        .slice(0, MAX_KEYS)
        .map((key) => unknownName(kind, key, known))
        .join('; ');
    },
  });
}

/** How many unknown members a message names. */
const MAX_KEYS = 5;
