import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createApiKeys } from '../../src/app/api-keys.ts';
import { createDurablyApp } from '../../src/app/create-app.ts';
import { BASE, postJson, readProblem, requestTo } from '../http/doors.ts';
import { fakeDurably } from '../http/fake-durably.ts';

const apiKeys = await createApiKeys([
  { name: 'one', key: 'the-key-of-number-1' },
  { name: 'two', key: 'the-key-of-number-2' },
]);
const bearer = (n: number) => ({ authorization: `Bearer the-key-of-number-${n}` });
const asked = (n: number) => requestTo('/runs', { headers: bearer(n) });

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['Date', 'setInterval', 'clearInterval'],
    now: Date.parse('2026-11-22T10:00:00Z'),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the rate limit', () => {
  it('refuses requests above the limit of a key, until its minute is over', async () => {
    const durably = fakeDurably();
    const app = createDurablyApp(durably, { apiKeys, rateLimit: 2 });
    const statusFor = async (n: number) => (await app.fetch(asked(n))).status;
    expect([await statusFor(1), await statusFor(1)]).toEqual([200, 200]);
    vi.advanceTimersByTime(20_500);
    const { status, contentType, headers, body } = await readProblem(await app.fetch(asked(1)));
    expect([status, contentType]).toEqual([429, 'application/problem+json']);
    expect(headers.get('retry-after')).toBe('40');
    expect(body).toMatchObject({ code: 'RATE_LIMITED', title: 'Too Many Requests' });
    expect(await statusFor(2)).toBe(200);
    expect(durably.calls).toHaveLength(3);
    vi.advanceTimersByTime(39_499);
    expect(await statusFor(1)).toBe(429);
    vi.advanceTimersByTime(1);
    expect(await statusFor(1)).toBe(200);
  });

  it('applies before any work: the body is not read and no hook is called', async () => {
    const onRequest = vi.fn();
    const app = createDurablyApp(fakeDurably(), { apiKeys, rateLimit: 1, onRequest });
    await app.fetch(asked(1));
    const request = postJson('/trigger', { jobName: 'greet' });
    request.headers.set('authorization', bearer(1).authorization);
    expect((await app.fetch(request)).status).toBe(429);
    expect(request.bodyUsed).toBe(false);
    expect(onRequest).toHaveBeenCalledOnce();
  });

  it("counts a stream opened with a ticket towards the ticket's key", async () => {
    const app = createDurablyApp(fakeDurably(), { apiKeys, rateLimit: 2 });
    const response = await app.fetch(requestTo('/stream-ticket', { method: 'POST', headers: bearer(1) }));
    const { ticket } = await response.json();
    const open = async () => {
      const stream = await app.fetch(requestTo(`/runs/subscribe?ticket=${ticket}`));
      await stream.body?.cancel();
      return stream.status;
    };
    expect([await open(), await open()]).toEqual([200, 429]);
    expect((await app.fetch(asked(2))).status).toBe(200);
  });

  it('does not count refused callers and /healthz', async () => {
    const app = createDurablyApp(fakeDurably(), { apiKeys, rateLimit: 1 });
    for (const _ of [1, 2, 3]) {
      expect((await app.request('/healthz')).status).toBe(200);
      expect((await app.fetch(requestTo('/runs'))).status).toBe(401);
    }
    expect((await app.fetch(asked(1))).status).toBe(200);
  });

  it('is shared by all callers if there are no keys', async () => {
    const app = createDurablyApp(fakeDurably(), { rateLimit: 1 });
    expect((await app.request(`${BASE}/runs`)).status).toBe(200);
    expect((await app.request('/openapi.json')).status).toBe(429);
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("can't be %s", (rateLimit) => {
    expect(() => createDurablyApp(fakeDurably(), { rateLimit })).toThrow(/^rateLimit must be/);
  });
});
