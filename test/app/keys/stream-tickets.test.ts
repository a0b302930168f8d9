import { afterEach, describe, expect, it, vi } from 'vitest';
import { createApiKeys } from '../../../src/app/api-keys.ts';
import { createDurablyApp } from '../../../src/app/create-app.ts';
import { operations } from '../../../src/http/operations/index.ts';
import { BASE, readProblem, requestTo, validRequest } from '../../http/doors.ts';
import { fakeDurably } from '../../http/fake-durably.ts';
import { apiKeys, bearer, getTicket, pairs, serve, withTicket } from './keyed-app.ts';

const streams = operations.filter(({ answers }) => answers === 'events');
const others = operations.filter(({ answers }) => answers !== 'events');

afterEach(() => {
  vi.useRealTimers();
});

describe('a ticket', () => {
  it.each(streams)('opens $path more than once', async (operation) => {
    const { send } = await serve();
    const ticket = await getTicket();
    for (const _ of [1, 2]) {
      const response = await send(withTicket(validRequest(operation), ticket));
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
      await response.body?.cancel();
    }
  });

  it.each(others)('does not open $method $path', async (operation) => {
    const { send } = await serve();
    expect((await send(withTicket(validRequest(operation), await getTicket()))).status).toBe(401);
  });

  it.each(['/readyz', '/openapi.json', `${BASE}/stream-ticket`, `${BASE}/nothing`])(
    'does not open %s',
    async (path) => {
      const { url } = await serve();
      const ticket = await getTicket();
      for (const method of ['GET', 'POST']) {
        expect((await fetch(`${url}${path}?ticket=${ticket}`, { method })).status).toBe(401);
      }
    },
  );

  it('is valid for a minute, at every instance with the key', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-11-22T10:00:00.500Z') });
    const request = requestTo('/stream-ticket', { method: 'POST', headers: bearer() });
    const response = await createDurablyApp(fakeDurably(), { apiKeys }).fetch(request);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const { ticket, expiresAt } = await response.json();
    expect(expiresAt).toBe('2026-11-22T10:01:00.000Z');
    const elsewhere = createDurablyApp(fakeDurably(), { apiKeys: await createApiKeys(pairs.slice(0, 1)) });
    const status = async () => {
      const answer = await elsewhere.fetch(withTicket(requestTo('/runs/subscribe'), ticket));
      await answer.body?.cancel();
      return answer.status;
    };
    vi.setSystemTime('2026-11-22T10:00:59.900Z');
    expect(await status()).toBe(200);
    vi.setSystemTime('2026-11-22T10:01:00.000Z');
    expect(await status()).toBe(401);
  });

  it('is invalid after its key was replaced by another with the same name', async () => {
    const renewed = await createApiKeys([{ name: 'dashboard', key: 'quite-another-key-1' }]);
    const app = createDurablyApp(fakeDurably(), { apiKeys: renewed });
    expect((await app.fetch(withTicket(requestTo('/runs/subscribe'), await getTicket()))).status).toBe(401);
  });

  it("for one run opens only that run's stream", async () => {
    const app = createDurablyApp(fakeDurably(), { apiKeys });
    const ticket = await getTicket('?runId=run_1');
    const statusOf = async (path: string) => {
      const response = await app.fetch(withTicket(requestTo(path), ticket));
      await response.body?.cancel();
      return response.status;
    };
    expect(await statusOf('/subscribe?runId=run_1')).toBe(200);
    expect(await statusOf('/subscribe?runId=run_2')).toBe(401);
    expect(await statusOf('/subscribe?runId=run_2&runId=run_1')).toBe(401);
    expect(await statusOf('/runs/subscribe')).toBe(401);
    expect(await statusOf('/runs/subscribe?runId=run_2')).toBe(401);
    // This path ignores the parameter, so the parameter proves nothing.
    expect(await statusOf('/runs/subscribe?runId=run_1')).toBe(401);
  });

  it.each([
    ['?runId=', 'runId query parameter is required'],
    ['?runId=a&runId=b', 'runId must be given once, not 2 times'],
  ])('is refused for %s', async (query, message) => {
    const app = createDurablyApp(fakeDurably(), { apiKeys });
    const request = requestTo(`/stream-ticket${query}`, { method: 'POST', headers: bearer() });
    const { status, body } = await readProblem(await app.fetch(request));
    expect([status, body.error]).toEqual([400, message]);
  });

  it('is not available without keys, nor with GET', async () => {
    const post = () => requestTo('/stream-ticket', { method: 'POST', headers: bearer() });
    expect((await createDurablyApp(fakeDurably()).fetch(post())).status).toBe(404);
    const response = await createDurablyApp(fakeDurably(), { apiKeys }).fetch(
      requestTo('/stream-ticket', { headers: bearer() }),
    );
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
  });
});
