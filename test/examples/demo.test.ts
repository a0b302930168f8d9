import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { ROOT } from '../docs/markdown.ts';

vi.setConfig({ testTimeout: 180_000 });

test('the demo kills the service half way, and proves that nothing was lost or run twice', async () => {
  const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'demo'], { cwd: ROOT });
  expect(stdout).toMatch(/killed it with SIGKILL; \d+ steps were seen to complete/);
  expect(stdout).toContain('taken over as attempt 2');
  expect(stdout).toContain('proved: 35 steps, each completed exactly once');
});
