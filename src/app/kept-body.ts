import type { Context } from 'hono';

/** The body that middleware of an app around this one has read through hono, which keeps it. A form is kept taken apart. */
export function keptBody(c: Context): (() => Promise<ArrayBuffer>) | undefined {
  for (const form in c.req.bodyCache) if (form !== 'formData') return () => c.req.arrayBuffer();
  return undefined;
}
