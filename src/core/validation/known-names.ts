import { dropPromises } from '../errors/dropped.ts';
import { ValidationError } from '../errors/errors.ts';
import { isA } from '../errors/thrown.ts';
import { editDistance, nearestOf } from './nearest.ts';
import { refusalOf } from './refusal.ts';
import { shownValue } from './shown-value.ts';

/** A longer name is cut when it is shown, and no suggestion is made for it. */
const MAX_SHOWN = 64;

/** A name that could have been meant: its spelling, and the form in which it is shown. */
export interface KnownName {
  readonly spelled: string;
  readonly shown: string;
}

/** The known name that a mistyped name is nearest to. Undefined if none is near. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  return nearest(
    name,
    [...known].map((spelled) => ({ spelled, shown: spelled })),
  )?.shown;
}

/**
 * The message for an unknown name. It suggests the nearest known name, or lists all of them if none
 * is near.
 *
 * For `lable`, where `label` is known: `Unknown query parameter "lable"; did you mean "label"?`
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
 * A table of the members of an object type. It does not compile until it has a line for each member
 * of the type.
 */
export type MembersOf<T> = { readonly [K in keyof Required<T>]: true };

/**
 * Refuses an object with members that its type does not have. JavaScript callers can pass them.
 * Undefined is accepted in place of the object.
 *
 * @param kind what a member is called, such as `stop option`.
 * @throws {ValidationError} that names each unknown member and the nearest known one.
 */
export function checkMembers(kind: string, given: unknown, members: Readonly<Record<string, unknown>>): void {
  if (given === undefined) return;
  if (typeof given !== 'object' || given === null || Array.isArray(given) || isA(given, Promise)) {
    // `member of debounce` becomes `members of debounce`.
    const plural = kind.replace(/ of |$/, (match) => `s${match}`);
    throw new ValidationError(`${plural} must be given as an object, not ${shownValue(given)}`);
  }
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(members, name));
  if (unknown.length === 0) return;
  dropPromises(given);
  const known = Object.keys(members);
  const issues = unknown
    .slice(0, MAX_TOLD)
    .map((name) => ({ path: [shorten(name)], message: unknownName(kind, name, known) }));
  throw refusalOf(issues);
}

/** Refuses options of a method that has none. @throws {ValidationError} that names them. */
export function checkNoOptions(method: string, given: unknown): void {
  checkMembers(`${method} option`, given, {});
}

/** How many unknown names a message lists. */
const MAX_TOLD = 5;

/** A name from a caller, cut if it is long. */
export function shorten(name: string, max = MAX_SHOWN): string {
  return name.length > max ? `${name.slice(0, max).toWellFormed()}…` : name;
}

function nearest(name: string, known: readonly KnownName[]): KnownName | undefined {
  if (name === '' || name.length > MAX_SHOWN) return undefined;
  return nearestOf(known, ({ spelled }) => slipDistance(name, spelled));
}

/** The distance of a name from a known one. Infinite if nobody would mistype it like that. */
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
