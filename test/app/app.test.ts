import { Validator } from '@seriousme/openapi-schema-validator';
import { Hono } from 'hono';
import { describe, expect, it, vi } from 'vitest';
import { createApiKeys } from '../../src/app/api-keys.ts';
import { createDurablyApp } from '../../src/app/create-app.ts';
import { buildOpenApi } from '../../src/app/openapi/openapi.ts';
import { eventCatalogue } from '../../src/core/events.ts';
import { operations } from '../../src/http/operations/index.ts';
import { BASE } from '../http/doors.ts';
import { fakeDurably } from '../http/fake-durably.ts';

describe('probes', () => {
  it('/healthz answers as long as the process does', async () => {
    const health = vi.fn(async () => ({ database: false, worker: false }));
    const response = await createDurablyApp(fakeDurably({ health })).request('/healthz');
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: 'ok' });
    expect(health).not.toHaveBeenCalled();
  });

  it('/readyz is 200 when database and worker are healthy', async () => {
    const response = await createDurablyApp(fakeDurably()).request('/readyz');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toEqual({ status: 'ready', database: true, worker: true, draining: false });
  });

  it.each([
    { database: false, worker: true },
    { database: true, worker: false },
    { database: false, worker: true, reason: 'database takes no writes' as const },
  ])('/readyz is 503 and names what is not: %j', async (health) => {
    const response = await createDurablyApp(fakeDurably({ health: async () => health })).request('/readyz');
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await response.json()).toEqual({ status: 'not ready', ...health, draining: false });
  });

  it('/readyz is 503 while draining', async () => {
    const draining = new AbortController();
    const app = createDurablyApp(fakeDurably(), { draining: draining.signal });
    expect((await app.request('/readyz')).status).toBe(200);
    draining.abort();
    const response = await app.request('/readyz');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ draining: true });
    expect((await app.request('/healthz')).status).toBe(200);
  });

  it('/readyz is 503 when the health check itself fails', async () => {
    const onError = vi.fn();
    const health = async () => {
      throw new Error('secret');
    };
    const response = await createDurablyApp(fakeDurably({ health }), { onError }).request('/readyz');
    expect(response.status).toBe(503);
    expect(await response.text()).not.toContain('secret');
    expect(onError).toHaveBeenCalledOnce();
  });

  it.each(['/healthz', '/readyz', '/openapi.json'])('%s has no other methods', async (path) => {
    const app = createDurablyApp(fakeDurably());
    const response = await app.request(path, { method: 'POST' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect((await app.request(path, { method: 'HEAD' })).status).toBe(200);
  });

  it('do not call onRequest', async () => {
    const onRequest = vi.fn();
    const app = createDurablyApp(fakeDurably(), { onRequest });
    await app.request('/healthz');
    await app.request('/readyz');
    expect(onRequest).not.toHaveBeenCalled();
  });
});

describe('the app', () => {
  it.each(['/', '', '/jobs/v1/', 'jobs/v1'])('serves under the base path %j', async (basePath) => {
    const app = createDurablyApp(fakeDurably(), { basePath });
    const base = basePath.replaceAll(/^\/|\/$/g, '');
    expect((await app.request(base === '' ? '/runs' : `/${base}/runs`)).status).toBe(200);
    expect((await app.request('/healthz')).status).toBe(200);
    const { servers } = await (await app.request('/openapi.json')).json();
    expect(servers).toEqual([{ url: `/${base}` }]);
  });

  it('can be mounted in another app', async () => {
    const outer = new Hono().route('/inner', createDurablyApp(fakeDurably(), { basePath: '/jobs' }));
    expect((await outer.request('/inner/jobs/runs')).status).toBe(200);
    const body = JSON.stringify({ jobName: 'greet' });
    expect((await outer.request('/inner/jobs/trigger', { method: 'POST', body })).status).toBe(200);
    const wrong = await outer.request('/inner/jobs/trigger');
    expect([wrong.status, wrong.headers.get('content-type')]).toEqual([405, 'application/problem+json']);
  });
});

describe('the OpenAPI document', () => {
  const open = { basePath: BASE, hasKeys: false, hasAuth: false, hasRateLimit: false, hasMetrics: false };
  const document = buildOpenApi(open);

  it('is valid', async () => {
    expect(await new Validator().validate(structuredClone(document))).toMatchObject({ valid: true });
  });

  it('is the document that the service serves', async () => {
    const response = await createDurablyApp(fakeDurably()).request('/openapi.json');
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(await response.json()).toEqual(JSON.parse(JSON.stringify(document)));
  });

  it('requires keys and describes tickets only if there are keys', async () => {
    const pairs = [{ name: 'dashboard', key: 'k'.repeat(16) }];
    const app = createDurablyApp(fakeDurably(), { apiKeys: await createApiKeys(pairs), rateLimit: 5 });
    const response = await app.request('/openapi.json', {
      headers: { authorization: `Bearer ${'k'.repeat(16)}` },
    });
    const keyed = buildOpenApi({ ...open, hasKeys: true, hasRateLimit: true });
    expect(await response.json()).toEqual(JSON.parse(JSON.stringify(keyed)));
    expect(keyed).toMatchObject({ security: [{ bearer: [] }], paths: { '/stream-ticket': {} } });
    expect(JSON.stringify(keyed)).toContain('RATE_LIMITED');
    expect(await new Validator().validate(structuredClone(keyed))).toMatchObject({ valid: true });
    expect(JSON.stringify({ ...document, components: {} })).not.toMatch(
      /bearer|stream-ticket|security|UNAUTHORIZED|RATE_LIMITED/,
    );
    expect(document).not.toHaveProperty('components.securitySchemes');
  });

  it('describes what is refused: NUL, an unknown member, a sequence that is too large', () => {
    const { paths } = JSON.parse(JSON.stringify(document));
    const parameter = (path: string, name: string) =>
      paths[path].get.parameters.find((one: { name: string }) => one.name === name).schema;
    expect(new RegExp(parameter('/run', 'runId').pattern).test('a\0')).toBe(false);
    expect(parameter('/logs', 'after')).toMatchObject({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
    expect(document).toHaveProperty('components.schemas.TriggerRequest.additionalProperties', false);
  });

  it("links a trigger's answer to every operation on its run", () => {
    const { paths } = JSON.parse(JSON.stringify(document));
    for (const path of ['/trigger', '/retrigger']) {
      const { links } = paths[path].post.responses[200];
      expect(Object.keys(links).sort()).toEqual(
        operations
          .filter(({ input }) => 'runId' in input.schema.shape)
          .map(({ name }) => name)
          .sort(),
      );
      expect(links.run).toEqual({ operationId: 'run', parameters: { runId: '$response.body#/runId' } });
    }
  });

  it('contains every operation and every event', () => {
    for (const { method, path, name } of operations) {
      expect(document).toHaveProperty(['paths', path, method.toLowerCase(), 'operationId'], name);
    }
    const { components } = document as { components: { schemas: { RunEvent: { anyOf: unknown[] } } } };
    expect(components.schemas.RunEvent.anyOf).toHaveLength(Object.keys(eventCatalogue).length);
  });

  it('contains no broken reference', () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
      ([, pointer]) => pointer,
    );
    expect(refs.length).toBeGreaterThan(50);
    for (const pointer of new Set(refs)) expect(document).toHaveProperty(pointer?.split('/') ?? []);
  });
});

describe('onRequest in the app', () => {
  it('receives the request before anything else, with its body unread', async () => {
    const bodies: string[] = [];
    const onRequest = async (request: Request) => void bodies.push(await request.clone().text());
    const app = createDurablyApp(fakeDurably(), { onRequest });
    const body = JSON.stringify({ jobName: 'known', input: {} });
    await app.request(`${BASE}/trigger`, { method: 'POST', body });
    await app.request(`${BASE}/trigger`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    expect(bodies).toEqual([body, body]);
  });

  it('is called once for each request, also for one without a route', async () => {
    const onRequest = vi.fn();
    const app = createDurablyApp(fakeDurably(), { onRequest });
    for (const path of ['/runs', '/nothing', '/trigger']) await app.request(`${BASE}${path}`);
    expect(onRequest).toHaveBeenCalledTimes(3);
  });

  it('answers with the Response that it throws, and with a problem for an error', async () => {
    const refuse = createDurablyApp(fakeDurably(), {
      onRequest: () => {
        throw new Response('not you', { status: 401 });
      },
    });
    const refused = await refuse.request(`${BASE}/trigger`, { method: 'POST', body: '{' });
    expect([refused.status, await refused.text()]).toEqual([401, 'not you']);
    const fail = createDurablyApp(fakeDurably(), {
      onError: () => undefined,
      onRequest: () => {
        throw new Error('secret');
      },
    });
    const failed = await fail.request(`${BASE}/runs`);
    expect(failed.status).toBe(500);
    expect(await failed.text()).not.toContain('secret');
  });
});
