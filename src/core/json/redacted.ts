import { UnreadableError } from '../errors/errors.ts';
import { MARK_START } from '../text.ts';

/**
 * What a sensitive step has stored, as JSON text in an object. The `$` is escaped, which `JSON.stringify` never does, so no value
 * that a user gives looks like this.
 */
const MARK = `${MARK_START}redacted":`;

/** What callers see of it. */
export const REDACTED = '[redacted]';
/** The same as JSON text. */
export const SHOWN_REDACTED = JSON.stringify(REDACTED);

/** Whether a stored text is for the job alone. */
export function isRedacted(text: string): boolean {
  return text.startsWith(MARK);
}

/** @param text JSON text. Null, for undefined, tells nothing. */
export function redact(text: string | null): string | null {
  return text === null ? null : `${MARK}${text}}`;
}

/** The reverse of {@link redact}, for the job. Any other text stays as it is. */
export function revealed(text: string): string {
  return isRedacted(text) ? text.slice(MARK.length, -1) : text;
}

/** {@link redact} for a message, which is no JSON. */
export function redactMessage(message: string): string {
  return `${MARK}${JSON.stringify(message)}}`;
}

/** The reverse of {@link redactMessage}. @throws {UnreadableError} if it only begins like one, because a plugin has decoded something to it. */
export function revealedMessage(text: string): string {
  if (!isRedacted(text)) return text;
  try {
    const message: unknown = JSON.parse(revealed(text));
    if (typeof message === 'string') return message;
  } catch {
    // As for a value that is no text.
  }
  throw new UnreadableError('The message begins like one of a sensitive step, and is none');
}
