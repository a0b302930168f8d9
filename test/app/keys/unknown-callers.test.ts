import { sign } from 'hono/jwt';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createApiKeys } from '../../../src/app/api-keys.ts';
import { createDurablyApp } from '../../../src/app/create-app.ts';
import type { Operation } from '../../../src/http/operation.ts';
import { operations } from '../../../src/http/operations/index.ts';
import { doors, readProblem, requestTo, validRequest } from '../../http/doors.ts';
import { type FakeDurably, fakeDurably } from '../../http/fake-durably.ts';
import { apiKeys, bearer, getTicket, KEY, OTHER_KEY, serve, withHeaders, withTicket } from './keyed-app.ts';

/** Changes a request. The ticket is a valid one. */
type Approach = (request: Request, ticket: string) => Request | Promise<Request>;

const expired: Approach = (request, ticket) => {
  vi.useFakeTimers({ toFake: ['Date'] });
  vi.setSystemTime(Date.now() + 61_000);
  return withTicket(request, ticket);
};

/** Every kind of request without valid credentials. */
const uninvited: readonly (readonly [string, Approach])[] = [
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
  ['a ticket that expired', expired],
  [
    'a ticket with another signature',
    (request, ticket) => {
      const [head, claims] = ticket.split('.');
      return withTicket(request, `${head}.${claims}.${btoa('x'.repeat(32)).replaceAll('=', '')}`);
    },
  ],
  [
    'a ticket without a signature',
    (request, ticket) => {
      const [, claims] = ticket.split('.');
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
    (request, ticket) => {
      const [head, , signature] = ticket.split('.');
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
    (request, ticket) => withHeaders(withTicket(request, ticket), bearer('k3y:of/the-dashboarb')),
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

/**
 * All doors check keys in the same place, before they look at the operation. So one door, the service's own, gets every
 * kind of request for every operation, and the others get every kind for a read, a stream and a command.
 */
const CHECKED = 'the app';
const sampled = operations.filter(({ name }) => ['run', 'subscribe', 'trigger'].includes(name));

async function expectRefusals(open: Open, approach: Approach, refusing: readonly Operation[]) {
  const durably = fakeDurably();
  const send = await open(durably);
  const ticket = await getTicket();
  for (const operation of refusing) {
    const { name } = operation;
    const response = await send(await approach(validRequest(operation), ticket));
    const { status, contentType, headers, body } = await readProblem(response);
    expect([name, status, contentType]).toEqual([name, 401, 'application/problem+json']);
    expect(headers.get('www-authenticate'), name).toBe('Bearer');
    expect(body, name).toMatchObject({ code: 'UNAUTHORIZED', status: 401, title: 'Unauthorized' });
    expect(JSON.stringify(body), name).not.toContain(KEY);
    expect(durably.calls, name).toEqual([]);
  }
}

describe.each(keyedDoors)('through $door', ({ door, open }) => {
  if (door === CHECKED) {
    it.each(uninvited)('every operation refuses %s', async (_, approach) => {
      await expectRefusals(open, approach, operations);
    });
  } else {
    it('every operation refuses a request without credentials, and one with an expired ticket', async () => {
      await expectRefusals(open, (request) => request, operations);
      await expectRefusals(open, expired, operations);
    });

    it.each(uninvited)('a read, a stream and a command refuse %s', async (_, approach) => {
      expect(sampled).toHaveLength(3);
      await expectRefusals(open, approach, sampled);
    });
  }

  it.each([
    ['Bearer', KEY],
    ['bearer', KEY],
    ['BEARER ', OTHER_KEY],
  ])('every operation accepts "%s" with a key', async (scheme, key) => {
    const send = await open(fakeDurably());
    for (const operation of operations) {
      const authorization = `${scheme} ${key}`;
      const response = await send(withHeaders(validRequest(operation), { authorization }));
      expect([operation.name, response.status]).toEqual([operation.name, 200]);
      await response.body?.cancel();
    }
  });
});
