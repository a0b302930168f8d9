import { sign } from 'hono/jwt';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createApiKeys } from '../../../src/app/api-keys.ts';
import { createDurablyApp } from '../../../src/app/create-app.ts';
import { operations } from '../../../src/http/operations/index.ts';
import { doors, readProblem, requestTo, validRequest } from '../../http/doors.ts';
import { type FakeDurably, fakeDurably } from '../../http/fake-durably.ts';
import { apiKeys, bearer, getTicket, KEY, OTHER_KEY, serve, withHeaders, withTicket } from './keyed-app.ts';

/** Every kind of request without valid credentials. */
const uninvited: readonly (readonly [string, (request: Request) => Request | Promise<Request>])[] = [
  ['no credentials', (request) => request],
  [
    'another scheme',
    (request) => withHeaders(request, { authorization: `Basic ${btoa(`dashboard:${KEY}`)}` }),
  ],
  ['the key without a scheme', (request) => withHeaders(request, { authorization: KEY })],
  ['a scheme that begins alike', (request) => withHeaders(request, { authorization: `Bearers ${KEY}` })],
  ['a wrong key', (request) => withHeaders(request, bearer('k3y:of/the-dashboarb'))],
  ['a shorter key', (request) => withHeaders(request, bearer(KEY.slice(0, -1)))],
  ['a longer key', (request) => withHeaders(request, bearer(`${KEY}d`))],
  ['a key in other letters', (request) => withHeaders(request, bearer(KEY.toUpperCase()))],
  ['a pair', (request) => withHeaders(request, bearer(`dashboard:${KEY}`))],
  ['two keys', (request) => withHeaders(request, bearer(`${KEY} ${KEY}`))],
  ['an empty key', (request) => withHeaders(request, { authorization: 'Bearer ' })],
  ['a scheme alone', (request) => withHeaders(request, { authorization: 'Bearer' })],
  ['an empty header', (request) => withHeaders(request, { authorization: '' })],
  [
    'the key in the query',
    (request) =>
      new Request(
        `${request.url}${request.url.includes('?') ? '&' : '?'}key=${encodeURIComponent(KEY)}`,
        request,
      ),
  ],
  ['the key as a ticket', (request) => withTicket(request, KEY)],
  ['an empty ticket', (request) => withTicket(request, '')],
  [
    'a ticket that expired',
    async (request) => {
      vi.useFakeTimers({ toFake: ['Date'] });
      const ticket = await getTicket();
      vi.setSystemTime(Date.now() + 61_000);
      return withTicket(request, ticket);
    },
  ],
  [
    'a ticket with another signature',
    async (request) => {
      const [head, claims] = (await getTicket()).split('.');
      return withTicket(request, `${head}.${claims}.${btoa('x'.repeat(32)).replaceAll('=', '')}`);
    },
  ],
  [
    'a ticket without a signature',
    async (request) => {
      const [, claims] = (await getTicket()).split('.');
      return withTicket(request, `${btoa('{"alg":"none","typ":"JWT"}').replaceAll('=', '')}.${claims}.`);
    },
  ],
  [
    'a ticket of another algorithm',
    async (request) => withTicket(request, await sign(claims(), KEY, 'HS512')),
  ],
  [
    'a ticket signed with the key itself',
    async (request) => withTicket(request, await sign(claims(), KEY, 'HS256')),
  ],
  [
    'a ticket whose claims were changed',
    async (request) => {
      const [head, , signature] = (await getTicket()).split('.');
      const changed = btoa(JSON.stringify({ ...claims(), exp: claims().exp + 1e6 })).replaceAll('=', '');
      return withTicket(request, `${head}.${changed}.${signature}`);
    },
  ],
  [
    'a ticket of a key that is gone',
    async (request) => {
      const gone = await createApiKeys([{ name: 'gone', key: KEY }]);
      const app = createDurablyApp(fakeDurably(), { apiKeys: gone });
      const response = await app.fetch(requestTo('/stream-ticket', { method: 'POST', headers: bearer() }));
      return withTicket(request, (await response.json()).ticket);
    },
  ],
  [
    'a ticket and a wrong key',
    async (request) => withHeaders(withTicket(request, await getTicket()), bearer('k3y:of/the-dashboarb')),
  ],
];

const claims = () => ({ sub: 'dashboard', aud: 'durably:stream', exp: Math.floor(Date.now() / 1000) + 60 });

type Open = (durably: FakeDurably) => Promise<(request: Request) => Promise<Response>>;

const keyedDoors: readonly { readonly door: string; readonly open: Open }[] = [
  ...doors.map(({ door, open }) => ({
    door: `${door} with the keys as \`auth\``,
    open: async (durably: FakeDurably) => open(durably, { auth: { authenticate: apiKeys.authenticate } }),
  })),
  {
    door: 'the app',
    open: async (durably) => {
      const app = createDurablyApp(durably, { apiKeys });
      return async (request) => app.fetch(request);
    },
  },
  { door: 'the app over HTTP', open: async (durably) => (await serve(durably)).send },
];

afterEach(() => {
  vi.useRealTimers();
});

describe.each(keyedDoors)('through $door', ({ open }) => {
  describe.each(operations)('$method $path', (operation) => {
    it.each(uninvited)('refuses %s', async (_, approach) => {
      const durably = fakeDurably();
      const send = await open(durably);
      const response = await send(await approach(validRequest(operation)));
      const { status, contentType, headers, body } = await readProblem(response);
      expect([status, contentType]).toEqual([401, 'application/problem+json']);
      expect(headers.get('www-authenticate')).toBe('Bearer');
      expect(body).toMatchObject({ code: 'UNAUTHORIZED', status: 401, title: 'Unauthorized' });
      expect(JSON.stringify(body)).not.toContain(KEY);
      expect(durably.calls).toEqual([]);
    });

    it.each([
      ['Bearer', KEY],
      ['bearer', KEY],
      ['BEARER ', OTHER_KEY],
    ])('accepts "%s" with a key', async (scheme, key) => {
      const send = await open(fakeDurably());
      const response = await send(
        withHeaders(validRequest(operation), { authorization: `${scheme} ${key}` }),
      );
      expect(response.status).toBe(200);
      await response.body?.cancel();
    });
  });
});
