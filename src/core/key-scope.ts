/** Stands before a scope and behind it. */
const MARK = '\u001f';

/**
 * An idempotency key as it is stored: with its scope in front, so that the same
 * key of two scopes is two. One without a scope stays as it is, unless it would
 * be read as one that has.
 */
export function scopedKey(scope: string | undefined, key: string): string {
  return scope !== undefined || key.startsWith(MARK) ? `${MARK}${scope ?? ''}${MARK}${key}` : key;
}

/** The key as its caller gave it, of one that is stored. */
export function bareKey(stored: string | null): string | null {
  if (stored === null || !stored.startsWith(MARK)) return stored;
  return stored.slice(stored.indexOf(MARK, 1) + 1);
}

/** Whether a text can be a scope: nobody could otherwise tell where it ends. */
export function isScope(text: string): boolean {
  return !text.includes(MARK);
}
