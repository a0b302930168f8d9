import { boundedText } from '../text.ts';
import { withoutSecrets } from './secrets.ts';

/** The most that a line of a log repeats of an error's text, in bytes. */
export const MAX_ERROR_BYTES = 1024;

/** An error's text as a part of a line: without secrets, bounded, printable. */
export function logText(error: string): string {
  return onOneLine(publicText(error, MAX_ERROR_BYTES));
}

/** Without secrets, then cut: of a secret that was cut first a part would stay. */
export function publicText(text: string, maxBytes: number): string {
  return boundedText(withoutSecrets(boundedText(text)), maxBytes);
}

/** Control characters, separators of lines, and marks that turn or hide text. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Text that can't end the line it stands in, nor hide or reorder a part of it. */
export function onOneLine(text: string): string {
  return text.replace(INVISIBLE, escaped);
}

function escaped(char: string): string {
  return [...Array(char.length).keys()]
    .map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`)
    .join('');
}
