import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Kysely, sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { ValidationError } from '../../src/index.ts';
import { type OpenRemoteOptions, openRemote } from '../../src/remote.ts';

/** The `accept-encoding` of the request that a read sends. */
async function encodingAsked(options: Omit<OpenRemoteOptions, 'url'> = {}): Promise<string | undefined> {
  let asked: string | undefined;
  const server = createServer((request, response) => {
    asked = request.headers['accept-encoding'];
    response.writeHead(500).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const database = openRemote({ url: `http://127.0.0.1:${port}`, ...options });
  onTestFinished(() => database.close());
  const db = new Kysely<Record<string, never>>({ dialect: database.dialect });
  await sql`select 1`.execute(db).catch(() => undefined);
  return asked;
}

test('asks for uncompressed answers unless compression is wanted', async () => {
  expect(await encodingAsked()).toBe('identity');
  expect(await encodingAsked({ compression: true })).toContain('gzip');
});

test.each(['file:local.db', ':memory:', 'my-db.turso.io'])('refuses the address %s', (url) => {
  expect(() => openRemote({ url })).toThrow(ValidationError);
});

test('names an option that it does not have', () => {
  const options = { url: 'http://127.0.0.1:1', syncUrl: 'file:replica.db' };
  expect(() => openRemote(options)).toThrow(/syncUrl/);
});
