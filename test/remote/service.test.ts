import { expect, test } from 'vitest';
import { failedStart, spawnService } from '../support/processes/spawn-service.ts';
import { startRemote } from '../support/remote.ts';

test('a wrong auth token fails the start with one line that says so', async () => {
  const { url } = await startRemote({ authToken: 'right' });
  const { code, stderr } = await failedStart({ TURSO_DATABASE_URL: url, TURSO_AUTH_TOKEN: 'wrong-secret' });
  expect(code).toBe(1);
  expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/cannot start: .*auth token.*401/)]);
  expect(stderr).not.toContain('wrong-secret');
});

test('an unreachable server fails the start with one line that names the cause', async () => {
  const { url, restart } = await startRemote();
  await restart(async () => {
    const { code, stderr } = await failedStart({ TURSO_DATABASE_URL: url });
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/cannot start: .*ECONNREFUSED/)]);
  });
});

test('the service starts on a server over a WebSocket, and stops without cutting a write off', async () => {
  const { server } = await startRemote({ content: 'empty' });
  const service = spawnService({ TURSO_DATABASE_URL: server.addressForClient('ws') });
  const url = await service.listening();
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  service.process.kill('SIGTERM');
  expect(await service.exit).toMatchObject({ code: 0 });
  expect(server.maxWrites).toBe(1);
});
