import { UnreadableError } from '../errors/errors.ts';
import { MARK_START } from '../text.ts';
import { PORTION_BYTES } from './portions.ts';
import { isRedacted, REDACTED } from './redacted.ts';

/**
 * A value that a plugin has encoded, as JSON text: an object with the plugin's name and what it made of the value. The `$`
 * is escaped, which `JSON.stringify` never does, so no value that a user gives can look like a sealed one.
 */
export const SEAL_MARK = `${MARK_START}enc":`;

/** What callers see of a value that no plugin of this process can decode. */
export const UNREADABLE = '[encrypted]';

/** What a plugin made of a text. */
export interface SealedContent {
  /** The plugin's name. */
  readonly plugin: string;
  readonly content: string;
}

/** Ends a sealed text: the length of what was encoded. */
const CHARS = /,(\d{1,10})\]\}$/;
/** How many characters {@link CHARS} has at most. */
const CHARS_LENGTH = 13;

/** Whether a stored text is a sealed one. */
export function isSealed(text: string): boolean {
  return text.startsWith(SEAL_MARK);
}

/** @param chars the length of the text that was encoded, by all plugins together. */
export function sealText({ plugin, content }: SealedContent, chars: number): string {
  return `${SEAL_MARK}${JSON.stringify([plugin, content, chars])}}`;
}

/**
 * How many characters a stored text has once it is decoded, which may be many times what is stored. Its own length if it is not
 * sealed. A sealed one that does not say counts as a portion of its own.
 */
export function openedChars(text: string): number {
  if (!isSealed(text)) return text.length;
  const [, chars] = CHARS.exec(text.slice(-CHARS_LENGTH)) ?? [];
  return chars === undefined ? Math.max(PORTION_BYTES, text.length) : Number(chars);
}

/** @param text a sealed one @throws {UnreadableError} if it only begins like one, because a plugin has decoded something to it. */
export function readSealed(text: string): SealedContent {
  const [plugin, content] = sealedParts(text);
  if (typeof plugin === 'string' && typeof content === 'string') return { plugin, content };
  throw new UnreadableError('The value begins like an encoded one, and is none');
}

function sealedParts(text: string): readonly unknown[] {
  try {
    const { $enc } = JSON.parse(text) as { readonly $enc?: unknown };
    return Array.isArray($enc) ? $enc : [];
  } catch {
    return [];
  }
}

/** A message as callers see it. */
export function shownText(text: string): string {
  if (isRedacted(text)) return REDACTED;
  return isSealed(text) ? UNREADABLE : text;
}

/** What of a run, a step or a log line may hold a sealed message. */
export interface WithTexts {
  readonly error?: string | null;
  readonly message?: string;
  readonly progress?: { readonly message?: string } | null;
}

/** The record as callers see it: its messages that are sealed, or redacted, say only so. Usually the record itself. */
export function withShownTexts<T extends WithTexts>(record: T): T {
  const { error, message, progress } = record;
  if (!hasHiddenText(record)) return record;
  return {
    ...record,
    ...(isHiddenMessage(error) && { error: shownText(error) }),
    ...(isHiddenMessage(message) && { message: shownText(message) }),
    ...(isHiddenMessage(progress?.message) && { progress: { ...progress, message: UNREADABLE } }),
  };
}

function hasHiddenText({ error, message, progress }: WithTexts): boolean {
  return isHiddenMessage(error) || isHiddenMessage(message) || isHiddenMessage(progress?.message);
}

function isHiddenMessage(text: string | null | undefined): text is string {
  return typeof text === 'string' && (isSealed(text) || isRedacted(text));
}
