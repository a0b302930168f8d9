import { expect, test } from 'vitest';
import { DatabaseUnavailableError } from '../../src/index.ts';
import { startRemote } from '../support/remote.ts';
import { rejectionOf } from '../support/runs.ts';

/** The answer of libsql-server to a write with a read-only token: 403. */
async function refusingWrites(request: Request): Promise<Response> {
  const body = await request.clone().text();
  if (/"sql":"\s*(\\n)*(update|insert|create|delete|begin immediate)/i.test(body)) {
    const error = "Forbidden: Current session doesn't not have Write permission to namespace default";
    return Response.json({ error }, { status: 403 });
  }
  return await fetch(request);
}

test.each([['an empty database'], ['a migrated one']])(
  'a read-only token is refused by name when %s is migrated',
  async (state) => {
    const { open } = await startRemote({ content: 'empty' });
    if (state === 'a migrated one') await open().migrate();
    const error = await rejectionOf(open({ fetch: refusingWrites }).migrate());
    expect(error).toBeInstanceOf(DatabaseUnavailableError);
    expect(error.message).toMatch(/auth token/);
  },
);

test('a server with slow writes does not count as read-only', async () => {
  const { open, server } = await startRemote({ content: 'empty' });
  await open().migrate();
  let requests = 0;
  server.fault = () => (++requests > 2 ? { kind: 'drop', when: 'before' } : { kind: 'none' });
  await open().migrate();
});
