import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { temporaryFolder } from '../app/temporary.ts';
import { listening, run, startCommand } from './command.ts';

vi.setConfig({ testTimeout: 90_000 });

const JOB = `
import { writeFileSync } from 'node:fs';
import { defineJob } from 'durably';
import { z } from 'zod';

export const last = defineJob({
  name: 'last',
  input: z.object({}),
  run: async (step) => {
    const signalled = new Promise((resolve) => process.once('SIGTERM', () => setImmediate(resolve)));
    writeFileSync('started.txt', '');
    await signalled;
    await step.run('end', () => writeFileSync('ended.txt', ''));
  },
});
`;

it('serve drains when nobody reads its output', async () => {
  const cwd = await temporaryFolder();
  writeFileSync(join(cwd, 'jobs.ts'), JOB);
  const served = startCommand(['serve', 'jobs.ts', '--port', '0', '--database', 'jobs.db'], {
    cwd,
    env: { DURABLY_POLLING_INTERVAL_MS: '50' },
  });
  const url = `${await listening(served)}/api/durably`;
  served.process.stdout?.destroy();
  expect(await run(['trigger', 'last', '--url', url])).toMatchObject({ code: 0, stderr: '' });
  await vi.waitFor(() => expect(existsSync(join(cwd, 'started.txt'))).toBe(true), 60_000);
  served.process.kill('SIGTERM');
  expect(await served.ended).toMatchObject({ code: 0, stderr: '' });
  expect(existsSync(join(cwd, 'ended.txt'))).toBe(true);
});

it('serve that cannot start exits with 4', async () => {
  const cwd = await temporaryFolder();
  writeFileSync(join(cwd, 'jobs.ts'), JOB);
  const ended = await run(['serve', 'jobs.ts'], { cwd, env: { PORT: 'none' } });
  expect(ended).toMatchObject({ code: 4, stderr: expect.stringMatching(/cannot start: .*PORT/) });
});
