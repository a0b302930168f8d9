import type { Context } from 'hono';

/** The body that middleware of an app around this one has read through hono, which keeps it. A form is kept taken apart. */
export function keptBody(c: Context): (() => Promise<ArrayBuffer>) | undefined {
  const kept = Object.keys(c.req.bodyCache).filter((form) => form !== 'formData');
  return kept.length > 0 ? () => c.req.arrayBuffer() : undefined;
}
