import { getRequestListener } from '@hono/node-server';
import { expect } from 'vitest';
import { createApiKeys } from '../../../src/app/api-keys.ts';
import { type CreateDurablyAppOptions, createDurablyApp } from '../../../src/app/create-app.ts';
import { requestTo } from '../../http/doors.ts';
import { fakeDurably } from '../../http/fake-durably.ts';
import { listen } from '../../support/net/listening.ts';

export const KEY = 'k3y:of/the-dashboard';
export const OTHER_KEY = 'k3y:of/another-one!';

export const pairs = [
  { name: 'dashboard', key: KEY },
  { name: 'ci', key: OTHER_KEY },
];

export const apiKeys = await createApiKeys(pairs);
export const bearer = (key = KEY) => ({ authorization: `Bearer ${key}` });

/** The app on a real HTTP server. */
export async function serve(durably = fakeDurably(), options: CreateDurablyAppOptions = { apiKeys }) {
  const { url, port } = await listen(getRequestListener(createDurablyApp(durably, options).fetch));
  const send = async (request: Request) => {
    const { pathname, search } = new URL(request.url);
    const body = request.body === null ? null : await request.text();
    return await fetch(`${url}${pathname}${search}`, {
      method: request.method,
      headers: request.headers,
      body,
    });
  };
  return { url, port, send };
}

export const withHeaders = (request: Request, headers: Record<string, string>) => {
  for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
  return request;
};

export const withTicket = (request: Request, ticket: string) => {
  const url = new URL(request.url);
  url.searchParams.set('ticket', ticket);
  return new Request(url, request);
};

export async function getTicket(query = ''): Promise<string> {
  const request = requestTo(`/stream-ticket${query}`, { method: 'POST', headers: bearer() });
  const response = await createDurablyApp(fakeDurably(), { apiKeys }).fetch(request);
  expect(response.status).toBe(200);
  return (await response.json()).ticket;
}
