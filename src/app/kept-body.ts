import type { Context } from 'hono';

/**
 * The body, if middleware of an outer app has already read it through Hono, which caches it. A body that was
 * read as a form can't be restored.
 */
export function keptBody(c: Context): (() => Promise<ArrayBuffer>) | undefined {
  for (const form in c.req.bodyCache) if (form !== 'formData') return () => c.req.arrayBuffer();
  return undefined;
}
