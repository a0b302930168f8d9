import { boundedText } from '../text.ts';
import { isSecretName } from './secrets.ts';
import { firstItems, isError, isList, readField } from './thrown.ts';

const MAX_DEPTH = 4;
const MAX_ENTRIES = 50;
const MAX_STRING_BYTES = 1024;
const MAX_PREVIEW_BYTES = 4 * 1024;

/**
 * A short text for a thrown value that is no error: the result of its own `toString`, or JSON of its
 * first fields. It has no stacks and no secrets, and is bounded however large the value is.
 */
export function previewOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const tag = tagOf(value);
  const text = kindText(value, tag) ?? ownText(value) ?? jsonText(value) ?? tag ?? 'unknown error';
  return boundedText(text, MAX_PREVIEW_BYTES);
}

/** The text for kinds of objects whose fields don't say what failed, such as a server's response. */
function kindText(value: object, tag: string | undefined): string | undefined {
  if (isError(value)) return errorText(value, 0);
  return tag === '[object Response]' ? responseText(value) : undefined;
}

function errorText(error: object, depth: number): string {
  const name = readField(error, 'name');
  const message = readField(error, 'message');
  const shownName = typeof name === 'string' && name !== '' ? name : 'Error';
  const text = typeof message === 'string' ? message : (JSON.stringify(shortened(message, depth + 1)) ?? '');
  return boundedText(text === '' ? shownName : `${shownName}: ${text}`, MAX_STRING_BYTES);
}

/** `Response 502 Bad Gateway from https://example.com`. */
function responseText(response: object): string | undefined {
  const status = readField(response, 'status');
  if (typeof status !== 'number') return undefined;
  const [statusText, url] = ['statusText', 'url'].map((key) => readField(response, key));
  const phrase = typeof statusText === 'string' && statusText !== '' ? ` ${statusText}` : '';
  // A path may hold a secret, too.
  const from = typeof url === 'string' && URL.canParse(url) ? ` from ${new URL(url).origin}` : '';
  return boundedText(`Response ${status}${phrase}${from}`, MAX_STRING_BYTES);
}

/** Undefined if the text names only the kind of object. */
function ownText(value: object): string | undefined {
  try {
    if (isList(value)) return undefined;
    const text = String(value);
    return /^(\[object [^\]]*\])?$/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** `[object Blob]`; undefined for a plain object. */
function tagOf(value: object): string | undefined {
  try {
    const tag = Object.prototype.toString.call(value);
    return tag === '[object Object]' || tag === '[object Array]' ? undefined : tag;
  } catch {
    return undefined;
  }
}

function jsonText(value: object): string | undefined {
  const text = JSON.stringify(shortened(value, 0));
  return text === '{}' ? undefined : text;
}

/** The part of a value that JSON would show, shortened. Calls no methods of the value. */
function shortened(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return boundedText(value, MAX_STRING_BYTES);
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'function') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (depth === MAX_DEPTH) return '…';
  if (depth > 0) {
    const text = kindText(value, tagOf(value));
    if (text !== undefined) return text;
  }
  if (isList(value)) return firstItems(value, MAX_ENTRIES).items.map((item) => shortened(item, depth + 1));
  const set = firstOf(() => Set.prototype.values.call(value));
  if (set !== undefined) return set.map((item) => shortened(item, depth + 1));
  const entries = firstOf(() => Map.prototype.entries.call(value)) ?? fieldsOf(value);
  return Object.fromEntries(entries.map(([key, each]) => shortenedEntry(key, each, depth)));
}

function shortenedEntry(key: unknown, value: unknown, depth: number): [string, unknown] {
  const name = typeof key === 'string' ? key : (JSON.stringify(shortened(key, depth + 1)) ?? typeof key);
  return [
    boundedText(name, MAX_STRING_BYTES),
    isSecretName(name) ? '[redacted]' : shortened(value, depth + 1),
  ];
}

/**
 * An object's own fields except `stack`, because stacks must not be stored if only messages were
 * asked for.
 */
function fieldsOf(value: object): [string, unknown][] {
  try {
    const keys = Object.keys(value).filter((key) => key !== 'stack');
    return keys.slice(0, MAX_ENTRIES).map((key) => [key, readField(value, key)]);
  } catch {
    return [];
  }
}

/** The first entries of a Set or Map. Undefined for other values. */
function firstOf<T>(entriesOf: () => IterableIterator<T>): T[] | undefined {
  try {
    const found: T[] = [];
    for (const entry of entriesOf()) {
      found.push(entry);
      if (found.length === MAX_ENTRIES) break;
    }
    return found;
  } catch {
    return undefined;
  }
}
