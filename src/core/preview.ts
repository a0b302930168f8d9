import { boundedText } from './text.ts';
import { firstItems, isList, readField } from './thrown.ts';

const MAX_DEPTH = 4;
const MAX_ENTRIES = 50;
const MAX_STRING_BYTES = 1024;
const MAX_PREVIEW_BYTES = 4 * 1024;
/** A thrown answer of a server may hold what it was asked with. */
const SECRET = /authorization|cookie|password|passwd|secret|token|api[-_]?key|signature/i;

/**
 * A short text of a value that is no error: what its own `toString` says, or
 * JSON of its first fields. Bounded, however large the value is.
 */
export function previewOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  return boundedText(ownText(value) ?? jsonText(value) ?? 'unknown error', MAX_PREVIEW_BYTES);
}

/** Undefined for what says no more than that it is an object. */
function ownText(value: object): string | undefined {
  try {
    if (isList(value)) return undefined;
    const text = String(value);
    return text === '[object Object]' || text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

function jsonText(value: object): string | undefined {
  const text = JSON.stringify(shortened(value, 0));
  return text === '{}' ? undefined : text;
}

/** What JSON shows of a value, cut down; nothing of it is called. */
function shortened(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return boundedText(value, MAX_STRING_BYTES);
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'function') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (depth === MAX_DEPTH) return '…';
  if (isList(value)) return firstItems(value, MAX_ENTRIES).items.map((item) => shortened(item, depth + 1));
  const keys = Object.keys(value).slice(0, MAX_ENTRIES);
  return Object.fromEntries(
    keys.map((key) => [
      boundedText(key, MAX_STRING_BYTES),
      SECRET.test(key) ? '[redacted]' : shortened(readField(value, key), depth + 1),
    ]),
  );
}
