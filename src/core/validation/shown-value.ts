import { dropPromises } from '../errors/dropped.ts';
import { withoutSecrets } from '../errors/secrets.ts';
import { isA, isList } from '../errors/thrown.ts';

/** How many characters of a text a message shows. */
const MAX_SHOWN = 64;
/** A larger one is not shown. */
const MAX_BIGINT = 10n ** 30n;
/** How much of a text is looked at. A secret may begin in what is shown and end behind it. */
const MAX_READ = 1024;
/** The first half of a pair of surrogates, which a cut has left. */
const HALF_PAIR = /[\ud800-\udbff]$/;
/** What JSON leaves as it is, and a terminal or a reader may not: control characters, and those that are not visible. */
const UNSEEN = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/**
 * A refused value as a message shows it: a text in quotes, of which 64 characters are shown at most, without the credentials
 * in it; a number, a truth value or null as it is; of anything else, what it is. Takes the rejections of promises in it, and
 * never calls its methods.
 */
export function shownValue(given: unknown): string {
  dropPromises(given);
  switch (typeof given) {
    case 'string':
      return shownText(given);
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(given);
    case 'bigint':
      return given > -MAX_BIGINT && given < MAX_BIGINT ? `${given}n` : 'a bigint';
    case 'object':
      return shownObject(given);
    default:
      return `a ${typeof given}`;
  }
}

/** The end of a message about a refused value. Empty if there was none. */
export function notThis(given: unknown): string {
  return given === undefined ? '' : `, not ${shownValue(given)}`;
}

/** The message of a schema: what a value must be, and what it is. */
export function expecting(rule: string) {
  return { error: ({ input }: { readonly input?: unknown }) => `${rule}${notThis(input)}` };
}

function shownText(text: string): string {
  const safe = withoutSecrets(text.slice(0, MAX_READ));
  const shown = safe.length > MAX_SHOWN ? `${safe.slice(0, MAX_SHOWN).replace(HALF_PAIR, '')}…` : safe;
  const quoted = JSON.stringify(shown).replace(UNSEEN, escaped);
  return text.length > MAX_SHOWN ? `${quoted} (${text.length} characters)` : quoted;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function shownDate(date: Date): string {
  try {
    return Date.prototype.toISOString.call(date);
  } catch {
    return 'an invalid Date';
  }
}

function shownObject(given: object | null): string {
  if (given === null) return 'null';
  if (isA(given, Promise)) return 'a promise';
  if (isA(given, Date)) return shownDate(given);
  if (!isList(given)) return 'an object';
  return given.length === 0 ? 'an empty list' : 'a list';
}
