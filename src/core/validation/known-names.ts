import { ValidationError } from '../errors/errors.ts';
import { editDistance, nearestOf } from './nearest.ts';
import { refusalOf } from './refusal.ts';

/** A longer name is shown cut off, and is near to none. */
const MAX_SHOWN = 64;

/** A name that somebody may have meant: how it is spelled, and how it is shown. */
export interface KnownName {
  readonly spelled: string;
  readonly shown: string;
}

/** The known name that a mistyped one is near to; undefined when it is near to none. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  return nearest(
    name,
    [...known].map((spelled) => ({ spelled, shown: spelled })),
  )?.shown;
}

/**
 * What is said of a name that isn't known: it, and the nearest one, or all that
 * are known when none is near.
 *
 * Of `lable`, where `label` is known: `Unknown query parameter "lable"; did you mean "label"?`
 */
export function unknownName(kind: string, name: string, known: readonly (string | KnownName)[]): string {
  const names = known.map((one) => (typeof one === 'string' ? { spelled: one, shown: one } : one));
  const unknown = `Unknown ${kind} "${shorten(name)}"`;
  const meant = nearest(name, names);
  if (meant !== undefined) return `${unknown}; did you mean "${meant.shown}"?`;
  if (names.length === 0) return `${unknown}; none is known here`;
  return `${unknown}; known: ${[...new Set(names.map(({ shown }) => shown))].join(', ')}`;
}

/**
 * The members of an object type, as a table that the compiler keeps complete:
 * a member that is added to the type is missing here until it has its line.
 */
export type MembersOf<T> = { readonly [K in keyof Required<T>]: true };

/**
 * Refuses an object with members that its type doesn't have, which JavaScript
 * lets through. Undefined in place of the object is fine.
 *
 * @param kind what one member is: `stop option`.
 * @throws {ValidationError} that names each unknown member and the nearest known one.
 */
export function checkMembers(kind: string, given: unknown, members: Readonly<Record<string, unknown>>): void {
  if (given === undefined) return;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new ValidationError(`${kind}s must be given as an object`);
  }
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(members, name));
  if (unknown.length === 0) return;
  const known = Object.keys(members);
  const issues = unknown
    .slice(0, MAX_TOLD)
    .map((name) => ({ path: [shorten(name)], message: unknownName(kind, name, known) }));
  throw refusalOf(issues);
}

/** So many unknown names are told of. */
const MAX_TOLD = 5;

/** A name that somebody sent, cut off where it gets long. */
export function shorten(name: string, max = MAX_SHOWN): string {
  return name.length > max ? `${name.slice(0, max).toWellFormed()}…` : name;
}

function nearest(name: string, known: readonly KnownName[]): KnownName | undefined {
  if (name === '' || name.length > MAX_SHOWN) return undefined;
  return nearestOf(known, ({ spelled }) => slipDistance(name, spelled));
}

/** How far a name is from a known one; infinite where nobody would have mistyped it like that. */
function slipDistance(name: string, known: string): number {
  const away = editDistance(name, known);
  const isNear = away <= Math.max(1, Math.floor(Math.max(name.length, known.length) * 0.4));
  return isNear || (name.length >= 3 && beginsAlike(name, known)) ? away : Number.POSITIVE_INFINITY;
}

/** Whether one of the names begins with the other, whatever their case. */
function beginsAlike(name: string, known: string): boolean {
  const [one, other] = [name.toLowerCase(), known.toLowerCase()];
  return one.startsWith(other) || other.startsWith(one);
}
