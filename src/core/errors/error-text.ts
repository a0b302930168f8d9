import { boundedText } from '../text.ts';
import { dropPromises } from './dropped.ts';
import { DatabaseUnavailableError } from './errors.ts';
import { previewOf } from './preview.ts';
import { firstItems, isError, isList, readField } from './thrown.ts';

/** How many causes a text may follow. */
const MAX_TEXT_CAUSES = 5;
/** How many errors of an AggregateError a text names. */
const MAX_NAMED_ERRORS = 3;
const UNKNOWN = 'unknown error';

/**
 * Messages without information: those of `fetch` in Node, Chromium, Firefox and Safari, of
 * `Promise.any`, and placeholders of libraries.
 */
const EMPTY_MESSAGES: ReadonlySet<string> = new Set([
  '',
  'all promises were rejected',
  'an error occurred',
  'an unknown error occurred',
  'connection error',
  'error',
  'failed',
  'failed to fetch',
  'fetch failed',
  'internal error',
  'load failed',
  'network error',
  'networkerror when attempting to fetch resource',
  'request failed',
  'something went wrong',
  'terminated',
  'unknown error',
]);

/**
 * The text that is stored and reported for a thrown value. It is the error's message, followed by
 * its cause if the message alone says nothing. It is bounded and well-formed. Never throws, whatever
 * was thrown, and takes the rejections of promises in it.
 */
export function errorMessage(error: unknown): string {
  dropPromises(error);
  try {
    return boundedText(textOf(error, MAX_TEXT_CAUSES));
  } catch {
    return UNKNOWN;
  }
}

/** The first errors inside an AggregateError or a similar error, and how many more there are. */
export function errorsOf(error: object, atMost: number): { errors: readonly unknown[]; more: number } {
  const errors = readField(error, 'errors');
  if (!isList(errors)) return { errors: [], more: 0 };
  const { items, more } = firstItems(errors, atMost);
  return { errors: items, more };
}

/** An error's own message, or a text for a thrown value that is no error. */
export function ownMessage(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const message = readField(error, 'message');
  if (typeof message === 'string' && (message !== '' || isError(error))) return message;
  if (message !== undefined && message !== null && message !== '') return previewOf(message);
  return isError(error) ? '' : previewOf(error);
}

function textOf(error: unknown, causesLeft: number): string {
  const message = ownMessage(error);
  if (typeof error !== 'object' || error === null) return message;
  if (!saysNothing(message) && !isDatabaseUnavailable(error)) return message;
  const reason = causesLeft > 0 ? reasonOf(error, causesLeft - 1) : undefined;
  if (reason === undefined) return withCode(message || nameOf(error), error);
  return message === '' || reason === message ? reason : `${message}: ${reason}`;
}

function saysNothing(message: string): boolean {
  return (
    message.length < 64 &&
    EMPTY_MESSAGES.has(
      message
        .trim()
        .replace(/[.!]+$/, '')
        .toLowerCase(),
    )
  );
}

/** The reason that an error gives: its cause or its inner errors. */
function reasonOf(error: object, causesLeft: number): string | undefined {
  const { errors, more } = errorsOf(error, MAX_NAMED_ERRORS);
  if (errors.length > 0) {
    const named = errors.map((each) => textOf(each, causesLeft));
    return [...new Set(named), ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
  }
  const cause = readField(error, 'cause');
  return cause === undefined || cause === null ? undefined : textOf(cause, causesLeft);
}

function nameOf(error: object): string {
  const name = readField(error, 'name');
  return typeof name === 'string' && name !== '' ? name : UNKNOWN;
}

function withCode(text: string, error: object): string {
  const code = readField(error, 'code');
  const isTelling = (typeof code === 'string' && code !== '') || typeof code === 'number';
  return isTelling && !isDatabaseUnavailable(error) ? `${text} (${code})` : text;
}

/** The driver's message is in its cause only. */
function isDatabaseUnavailable(error: unknown): boolean {
  return isError(error) && error instanceof DatabaseUnavailableError;
}
