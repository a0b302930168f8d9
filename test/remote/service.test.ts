import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { buildService } from '../support/built-service.ts';
import { startRemote } from '../support/remote.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Starts the service, which is not expected to last; what it printed, and how it ended. */
async function failedStart(env: Record<string, string>) {
  const child = spawn(process.execPath, [buildService().entry], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, TMPDIR: tmpdir(), PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  return { code, stderr };
}

test('a wrong auth token stops the start with one line that says so', async () => {
  const { url } = await startRemote({ authToken: 'right' });
  const { code, stderr } = await failedStart({ TURSO_DATABASE_URL: url, TURSO_AUTH_TOKEN: 'wrong-secret' });
  expect(code).toBe(1);
  expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/cannot start: .*auth token.*401/)]);
  expect(stderr).not.toContain('wrong-secret');
});

test('a server that is not there stops the start with one line that names the cause', async () => {
  const { url, restart } = await startRemote();
  await restart(async () => {
    const { code, stderr } = await failedStart({ TURSO_DATABASE_URL: url });
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/cannot start: .*ECONNREFUSED/)]);
  });
});
