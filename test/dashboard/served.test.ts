import { gzipSync } from 'node:zlib';
import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { createApiKeys } from '../../src/app/api-keys.ts';
import { type CreateDurablyAppOptions, createDurablyApp, DASHBOARD_MODES } from '../../src/app/create-app.ts';
import { files } from '../../src/app/dashboard/files.generated.ts';
import { fakeDurably } from '../http/fake-durably.ts';

const KIB = 1024;
/** What a reader's browser loads, compressed. */
const MAX_KIB = 80;

const appWith = (options: CreateDurablyAppOptions = {}) =>
  createDurablyApp(fakeDurably(), { dashboard: true, ...options });

const attributes = (page: string, pattern: RegExp) => [...page.matchAll(pattern)].map(([, value]) => value);
const addressesIn = (page: string) => attributes(page, /(?:href|src)="([^"]+)"/g);

describe('the dashboard is served', () => {
  it('at the root of the app, with its files, and with a policy that allows its own script alone', async () => {
    const app = appWith();
    const page = await app.request('/');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toBe('text/html; charset=UTF-8');
    expect(page.headers.get('cache-control')).toBe('no-cache');
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'; /);
    expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    const addresses = addressesIn(await page.text());
    expect(addresses).toHaveLength(3);
    for (const address of addresses) {
      const file = await app.request(`/${address}`);
      expect([address, file.status]).toEqual([address, 200]);
      expect(file.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(file.headers.get('x-content-type-options')).toBe('nosniff');
    }
  });

  it('is not served unless it is asked for', async () => {
    expect((await createDurablyApp(fakeDurably()).request('/')).status).toBe(404);
    expect((await appWith({ dashboard: DASHBOARD_MODES.off }).request('/')).status).toBe(404);
  });

  it('without a key, which everything else needs', async () => {
    const apiKeys = await createApiKeys([{ name: 'test', key: 'a-key-of-sixteen-characters' }]);
    const app = appWith({ apiKeys, rateLimit: 1 });
    const page = await app.request('/');
    expect(page.status).toBe(200);
    for (const address of addressesIn(await page.text())) {
      expect((await app.request(`/${address}`)).status).toBe(200);
    }
    expect((await app.request('/api/durably/runs')).status).toBe(401);
    expect((await app.request('/dashboard')).status).toBe(401);
  });

  it.each([
    ['/', '/', 'api/durably', 'dashboard/'],
    ['/ops', '/ops', './ops/api/durably', './ops/dashboard/'],
    ['/a b', '/a%20b', './a%20b/api/durably', './a%20b/dashboard/'],
  ])(
    'below %s of another app, by addresses that are relative to the page',
    async (path, asked, api, files) => {
      const app = path === '/' ? appWith() : new Hono().route(path, appWith());
      const page = await (await app.request(asked)).text();
      expect(attributes(page, /name="durably-api" content="([^"]*)"/g)).toEqual([api]);
      for (const address of addressesIn(page)) expect(address).toMatch(files);
    },
  );

  it('with the base path of the operations', async () => {
    const page = await (await appWith({ basePath: '/jobs/v1' }).request('/')).text();
    expect(attributes(page, /name="durably-api" content="([^"]*)"/g)).toEqual(['jobs/v1']);
  });

  it('as a page that shows no buttons, if it is read only', async () => {
    const modeOf = async (dashboard: CreateDurablyAppOptions['dashboard']) => {
      const page = await (await appWith({ dashboard }).request('/')).text();
      return attributes(page, /name="durably-mode" content="([^"]*)"/g);
    };
    expect(await modeOf(DASHBOARD_MODES.on)).toEqual(['full']);
    expect(await modeOf({})).toEqual(['full']);
    expect(await modeOf(DASHBOARD_MODES['read-only'])).toEqual(['read-only']);
  });

  it('again only if it has changed', async () => {
    const app = appWith();
    for (const path of ['/', `/dashboard/${files[0]?.name}`]) {
      const etag = (await app.request(path)).headers.get('etag') ?? '';
      const again = await app.request(path, { headers: { 'if-none-match': `"other", W/${etag}` } });
      expect([path, again.status, await again.text()]).toEqual([path, 304, '']);
    }
  });

  it('compressed for who can read that', async () => {
    const path = `/dashboard/${files.find(({ name }) => name.endsWith('.js'))?.name}`;
    const answer = await appWith().request(path, { headers: { 'accept-encoding': 'gzip' } });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
  });

  it('refuses other methods, and files that it does not have', async () => {
    const app = appWith();
    expect((await app.request('/', { method: 'POST' })).status).toBe(405);
    expect((await app.request('/dashboard/other.js')).status).toBe(404);
    expect((await app.request('/dashboard/constructor')).status).toBe(404);
  });

  it('loads at most 80 KiB, compressed', () => {
    const bytes = files.reduce((sum, { text }) => sum + gzipSync(text).byteLength, 0);
    expect(bytes / KIB).toBeLessThan(MAX_KIB);
    expect(bytes / KIB).toBeGreaterThan(10);
  });

  it('beside any base path but the one of its files', () => {
    expect(() => appWith({ basePath: '/dashboard' })).toThrow('basePath "/dashboard" must not be /dashboard');
    expect(() => appWith({ basePath: '/dashboard', dashboard: false })).not.toThrow();
  });
});
