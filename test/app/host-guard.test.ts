import { describe, expect, it } from 'vitest';
import { createDurablyApp } from '../../src/app/create-app.ts';
import { operations } from '../../src/http/operations/index.ts';
import { BASE, readProblem, validRequest } from '../http/doors.ts';
import { fakeDurably } from '../http/fake-durably.ts';

const app = (hosts: readonly string[] = ['127.0.0.1']) =>
  createDurablyApp(fakeDurably(), { allowedHosts: hosts });

const statusFor = async (headers: Record<string, string>, hosts?: readonly string[]) =>
  (await app(hosts).request(`http://localhost:3000${BASE}/runs`, { headers })).status;

describe('the host guard', () => {
  it.each([
    'localhost',
    'localhost:3000',
    'LOCALHOST:1',
    '127.0.0.1',
    '127.0.0.1:8080',
    '[::1]',
    '[::1]:3000',
  ])('accepts the loopback host %s', async (host) => {
    expect(await statusFor({ host })).toBe(200);
  });

  it.each([
    'evil.example',
    'evil.example:3000',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1:3000',
    'evil.example#localhost',
    'evil.example@localhost',
    'localhost@evil.example',
    'localhost:3000/x',
    '[::2]',
    'localhost:x',
  ])('refuses the host %s', async (host) => {
    expect(await statusFor({ host })).toBe(403);
  });

  it('accepts the configured host', async () => {
    expect(await statusFor({ host: 'jobs.internal:3000' }, ['jobs.internal'])).toBe(200);
    expect(await statusFor({ host: '[fe80::1]:3000' }, ['fe80::1'])).toBe(200);
    expect(await statusFor({ host: 'localhost' }, ['jobs.internal'])).toBe(200);
    expect(await statusFor({ host: 'jobs.internal' })).toBe(403);
  });

  it('refuses a foreign host in the request line too', async () => {
    const response = await app().request(`http://evil.example${BASE}/runs`, {
      headers: { host: 'localhost' },
    });
    expect(response.status).toBe(403);
  });

  it.each(['http://localhost:5173', 'https://127.0.0.1', 'http://[::1]:3000'])(
    'accepts the origin %s',
    async (origin) => {
      expect(await statusFor({ host: 'localhost', origin })).toBe(200);
    },
  );

  it.each([
    'http://evil.example',
    'https://localhost.evil.example',
    'null',
    '',
    'file://localhost',
    'chrome-extension://localhost',
    'localhost',
    'http://',
  ])('refuses the origin %j', async (origin) => {
    expect(await statusFor({ host: 'localhost', origin })).toBe(403);
  });

  it.each(operations)('refuses $method $path from foreign pages', async (operation) => {
    const durably = fakeDurably();
    const request = validRequest(operation);
    request.headers.set('origin', 'http://evil.example');
    const response = await createDurablyApp(durably, { allowedHosts: [] }).fetch(request);
    const { status, contentType, body } = await readProblem(response);
    expect([status, contentType]).toEqual([403, 'application/problem+json']);
    expect(body).toMatchObject({ code: 'FORBIDDEN', title: 'Forbidden' });
    expect(durably.calls).toEqual([]);
  });

  it('is off by default', async () => {
    const open = createDurablyApp(fakeDurably());
    const headers = { host: 'jobs.example.com', origin: 'https://example.com' };
    expect((await open.request(`http://jobs.example.com${BASE}/runs`, { headers })).status).toBe(200);
  });
});
