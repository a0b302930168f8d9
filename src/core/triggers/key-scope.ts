/** Stands before and after a scope. */
const MARK = '\u001f';

/**
 * An idempotency key as it is stored. Its scope comes first, so that the same key in two scopes is
 * two keys. A key without a scope stays as it is, unless it could be mistaken for a key with one.
 */
export function scopedKey(scope: string | undefined, key: string): string {
  return scope !== undefined || key.startsWith(MARK) ? `${MARK}${scope ?? ''}${MARK}${key}` : key;
}

/** The key as the caller gave it. */
export function bareKey(stored: string | null): string | null {
  if (stored === null || !stored.startsWith(MARK)) return stored;
  return stored.slice(stored.indexOf(MARK, 1) + 1);
}

/** Whether a text can be a scope. It must not contain the mark that ends a scope. */
export function isScope(text: string): boolean {
  return !text.includes(MARK);
}
