import type { Context, Hono } from 'hono';
import { compress } from 'hono/compress';
import { RequestError } from '../../http/problem.ts';
import { wrongMethod } from '../../http/routing.ts';
import { type DashboardMode, pageText } from './page-text.ts';

export interface DashboardOptions {
  readonly basePath: string;
  readonly mode: DashboardMode;
}

/**
 * The page runs its own script and talks to its own origin. Markup can't be made from text (`trusted-types`), so what a job
 * stores is never executed.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Loaded by the first request for the page, so that a service whose dashboard nobody opens does not read it. */
const loadFiles = async () => (await import('./files.generated.ts')).files;

/** The page at the app's root, and its files in `/dashboard/`. They hold no data, so they need no key. */
export function mountDashboard(app: Hono, options: DashboardOptions): void {
  app.on('GET', ['/', '/dashboard/:file'], compress());
  app.get('/', async (c) => {
    const page = pageText({ ...options, files: await loadFiles(), path: c.req.path });
    const etag = `"${await digest(page)}"`;
    const headers = { 'content-security-policy': CONTENT_SECURITY_POLICY, 'cache-control': 'no-cache', etag };
    if (isKnown(c, etag)) return c.body(null, 304, headers);
    return c.html(page, 200, headers);
  });
  app.get('/dashboard/:file', async (c) => {
    const name = c.req.param('file');
    const file = (await loadFiles()).find((one) => one.name === name);
    if (file === undefined) throw new RequestError('NOT_FOUND', `The dashboard has no file ${name}`);
    const headers = {
      'content-type': CONTENT_TYPES[name.replace(/^.*\./, '')] ?? 'application/octet-stream',
      // The name has the hash of the content.
      'cache-control': 'public, max-age=31536000, immutable',
      etag: `"${name}"`,
    };
    if (isKnown(c, headers.etag)) return c.body(null, 304, headers);
    return c.body(file.text, 200, headers);
  });
  for (const path of ['/', '/dashboard/:file']) {
    app.all(path, (c) => {
      throw wrongMethod(c.req.method, ['GET']);
    });
  }
}

/** Compression makes an ETag a weak one. */
function isKnown(c: Context, etag: string): boolean {
  const given = c.req.header('if-none-match')?.split(',') ?? [];
  return given.some((one) => one.trim().replace(/^W\//, '') === etag);
}

async function digest(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return [...bytes.subarray(0, 12)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
