import type { Context } from 'hono';

/**
 * The body, if middleware of an outer app has already read it through Hono, which caches it. A body that was
 * read as a form can't be restored.
 */
export function keptBody(c: Context): (() => Promise<ArrayBuffer>) | undefined {
  const kept = Object.keys(c.req.bodyCache).filter((form) => form !== 'formData');
  return kept.length > 0 ? () => c.req.arrayBuffer() : undefined;
}
