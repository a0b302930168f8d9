import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createDurablyApp } from '../../src/app/create-app.ts';
import { DatabaseUnavailableError } from '../../src/core/errors/errors.ts';
import type { LogEntry } from '../../src/core/logger.ts';
import { BASE } from '../http/doors.ts';
import { fakeDurably } from '../http/fake-durably.ts';

describe('an unavailable database', () => {
  it('writes one line to the console when the outage begins, although every request fails', async () => {
    const error = vi.spyOn(console, 'error').mockImplementation(() => {});
    const now = vi.spyOn(performance, 'now');
    onTestFinished(() => void vi.restoreAllMocks());
    const fail = async () => {
      throw new DatabaseUnavailableError('the file is gone', { cause: new Error('https://me:hunter2@h\nx') });
    };
    const app = createDurablyApp(fakeDurably({ getRuns: fail, health: fail, openRunFeed: fail }));
    const meetAt = async (ms: number) => {
      now.mockReturnValue(ms);
      for (const path of [`${BASE}/runs`, '/readyz', `${BASE}/subscribe?runId=run_1`]) {
        expect((await app.request(path, { headers: { 'x-request-id': 'trace-1' } })).status).toBe(503);
      }
      return error.mock.calls.length;
    };
    expect(await meetAt(0)).toBe(1);
    expect(error).toHaveBeenCalledWith('durably: request trace-1: the file is gone: https://…@h\\u000ax');
    // However long the outage lasts, if requests keep meeting it.
    expect(await meetAt(50_000)).toBe(1);
    expect(await meetAt(100_000)).toBe(1);
    expect(await meetAt(200_000)).toBe(2);
  });

  it('goes to a logger in its parts, and an error of the code with its stack', async () => {
    const entries: LogEntry[] = [];
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line);
    const logger = { info: write, warn: write, error: write };
    const failures = [new DatabaseUnavailableError('the file is gone'), new Error('a fault\nof the code')];
    for (const failure of failures) {
      const getRuns = () => Promise.reject(failure);
      for (const own of [logger, { ...logger, entry: (entry: LogEntry) => void entries.push(entry) }]) {
        const app = createDurablyApp(fakeDurably({ getRuns }), { logger: own });
        await app.request(`${BASE}/runs`, { headers: { 'x-request-id': 'trace-1' } });
      }
    }
    expect(lines).toEqual([
      'durably: request trace-1: the file is gone',
      'durably: request trace-1: a fault\\u000aof the code',
    ]);
    const request = { level: 'error', message: 'request failed' };
    expect(entries).toEqual([
      { ...request, fields: { requestId: 'trace-1', error: 'the file is gone' } },
      {
        ...request,
        fields: {
          ...{ requestId: 'trace-1', error: 'a fault\nof the code' },
          err: { name: 'Error', message: 'a fault\nof the code', stack: expect.any(String) },
        },
      },
    ]);
  });
});
