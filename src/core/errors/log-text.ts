import { boundedText } from '../text.ts';
import { withoutSecrets } from './secrets.ts';

/** How many bytes of an error's text a log line contains. */
export const MAX_ERROR_BYTES = 1024;

/** An error's text for a log line: without secrets, bounded and printable. */
export function logText(error: string): string {
  return onOneLine(publicText(error, MAX_ERROR_BYTES));
}

/**
 * Removes secrets first and cuts afterwards, because a part of a secret that was cut would not be
 * recognized.
 */
export function publicText(text: string, maxBytes: number): string {
  return boundedText(withoutSecrets(boundedText(text)), maxBytes);
}

/** Control characters, line separators, and characters that reverse or hide text. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Text that cannot end its line, and cannot hide or reorder a part of it. */
export function onOneLine(text: string): string {
  return text.replace(INVISIBLE, escaped);
}

function escaped(char: string): string {
  return [...Array(char.length).keys()]
    .map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`)
    .join('');
}
