import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/processes/spawn-service.ts';
import { API, startService } from './started-service.ts';

describe('the log of the service', () => {
  const KEY = 'a-key-that-no-log-may-show';

  it('has one line for a failed run without its input or a key, and stores no stack if configured so', async () => {
    const service = await startService({
      DURABLY_API_KEYS: `ci:${KEY}`,
      DURABLY_ERROR_DETAIL: 'message',
    });
    const ask = async (path: string, init: RequestInit = {}) => {
      const headers = { authorization: `Bearer ${KEY}` };
      return (await fetch(`${service.url}${API}${path}`, { ...init, headers })).json();
    };
    const input = { file: 'no-such-file.csv' };
    const body = JSON.stringify({ jobName: 'import-csv', input, idempotencyKey: 'a-hidden-key' });
    const { runId } = await ask('/trigger', { method: 'POST', body });
    await eventually(() => expect(service.output.stderr).toContain('\n'));
    const run = await ask(`/run?runId=${runId}`);
    expect(run).toMatchObject({ status: 'failed', errorDetail: { message: expect.any(String) } });
    expect(JSON.stringify(run.errorDetail)).not.toContain('stack');
    const { stdout, stderr } = service.output;
    expect(stderr.split('\n')).toEqual([expect.any(String), '']);
    expect(JSON.parse(stderr)).toEqual({
      ...{ level: 'error', time: expect.any(String), msg: 'run failed' },
      ...{
        runId,
        jobName: 'import-csv',
        attempt: 1,
        stepName: expect.any(String),
        error: expect.any(String),
      },
    });
    for (const secret of [KEY, 'a-hidden-key', 'authorization'])
      expect(stdout + stderr).not.toContain(secret);
  });
});
