import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { builtExample } from '../support/built/examples.ts';
import { runReadme, startExample, temporaryFolder } from './example.ts';

vi.setConfig({ testTimeout: 120_000 });

test('the streaming agent answers as its README shows', async () => {
  const { url } = await startExample('streaming-agent', { data: temporaryFolder() });
  expect(await runReadme('streaming-agent', url)).toBe(2);
});

test('a reader of the agent prints every word of each step, in order, and the answer', async () => {
  const { url } = await startExample('streaming-agent', { data: temporaryFolder() });
  const { stdout } = await promisify(execFile)(process.execPath, [builtExample('streaming-agent/read')], {
    env: { PATH: process.env.PATH, URL: url },
  });
  const read = 'A durable job stores the result of each finished step.';
  const summarize = 'After a crash, it continues at the first step without a result.';
  expect(stdout.trim().split('\n')).toEqual([
    'plan: read, summarize',
    `read: ${read}`,
    `summarize: ${summarize}`,
    '',
    `${read} ${summarize}`,
  ]);
});
