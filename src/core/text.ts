/** Makes texts fit to be stored and shown: well-formed, without NULs, bounded. */

import { shownValue } from './validation/shown-value.ts';

/** The most bytes of UTF-8 for an error's text, a log line's message or a progress message. */
export const MAX_TEXT_BYTES = 16 * 1024;

const ELLIPSIS = '…';
/** A UTF-16 unit takes at most three bytes; a pair of surrogates takes four. */
const MAX_BYTES_PER_UNIT = 3;
const encoder = new TextEncoder();

/**
 * Text that SQL can hold. Lone surrogates and NULs become U+FFFD: a JSON function of libSQL aborts
 * the process at a lone surrogate, and a NUL cuts a text short when it is read back.
 */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

/** The pattern of a text without NUL in a JSON Schema. Regular expressions of every language understand it. */
export const WITHOUT_NUL = '^[^\\x00]*$';

/** Whether {@link storableText} would leave the text as it is. */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** How JSON texts begin that are marked when they are stored: as encoded by a plugin, or as redacted. No JSON of a user's does. */
export const MARK_START = '{"\\u0024';
/** Not visible. */
const WORD_JOINER = '\u2060';

/** A text that is no JSON must not look like a marked one, whoever wrote it. */
function unmarked(text: string): string {
  return text.startsWith(MARK_START) ? WORD_JOINER + text : text;
}

/**
 * {@link storableText} of at most `maxBytes` bytes of UTF-8. A longer text is cut
 * between two characters, and ends in an ellipsis. One that begins like a marked JSON text gets an invisible character before it.
 */
export function boundedText(text: string, maxBytes: number = MAX_TEXT_BYTES): string {
  return cutText(unmarked(text), maxBytes);
}

function cutText(text: string, maxBytes: number): string {
  if (text.length * MAX_BYTES_PER_UNIT <= maxBytes) return storableText(text);
  // A unit takes at least one byte, so the units after `maxBytes` can't fit.
  const head = storableText(text.slice(0, maxBytes + 1));
  const bytes = new Uint8Array(maxBytes);
  if (head.length <= maxBytes && encoder.encodeInto(head, bytes).read === head.length) return head;
  const room = bytes.subarray(0, Math.max(0, maxBytes - encoder.encode(ELLIPSIS).length));
  return head.slice(0, encoder.encodeInto(head, room).read) + ELLIPSIS;
}

/** In UTF-16 units. */
const MAX_SIGNAL_NAME_LENGTH = 1024;

/** Why something can't be a signal's name, as the end of a sentence about it; undefined if it can. */
export function signalNameFault(name: unknown): string | undefined {
  if (typeof name !== 'string') return `must be a string, not ${shownValue(name)}`;
  if (name.length < 1 || name.length > MAX_SIGNAL_NAME_LENGTH) {
    return `must have 1 to ${MAX_SIGNAL_NAME_LENGTH} characters, not ${shownValue(name)}`;
  }
  return isStorableText(name)
    ? undefined
    : `must not hold a lone surrogate or a NUL, as ${shownValue(name)} does`;
}

/** How many bytes a text takes in UTF-8. */
export function bytesOf(text: string): number {
  return encoder.encode(text).length;
}
