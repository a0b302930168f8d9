import { describe, expect, it, vi } from 'vitest';
import type { RunFilter } from '../../../src/core/lists/run-query.ts';
import type { BulkOptions } from '../../../src/core/managing/run-bulk.ts';
import { RequestError } from '../../../src/http/problem.ts';
import { doors, postJson, readProblem } from '../doors.ts';
import { type FakeDurably, fakeDurably, sampleRun } from '../fake-durably.ts';
import { ada, authenticate } from './ada.ts';

const commands = [
  ['cancel', 'cancelRuns'],
  ['retry', 'retryRuns'],
  ['delete', 'deleteRuns'],
] as const;

describe.each(doors)('through $door', ({ open }) => {
  describe.each(commands)('POST /runs/%s', (command, method) => {
    const path = `/runs/${command}`;

    it('passes the filter on, and answers with the number of runs', async () => {
      const durably = fakeDurably({ [method]: async () => ({ count: 3, more: true }) });
      const filter = { jobName: ['a', 'b'], status: 'leased', labels: { t: '1' }, q: 'x', limit: 5 };
      const response = await open(durably)(postJson(path, filter));
      expect(await response.json()).toEqual({ count: 3, more: true });
      expect(durably.calls).toEqual([
        { method, args: [{ ...filter, status: 'running', all: true }, undefined] },
      ]);
    });

    it.each([
      [{}, 'The filter is empty: name the runs, or give "all": true'],
      [{ limit: 5 }, 'The filter is empty: name the runs, or give "all": true'],
      [{ labels: {} }, 'The filter is empty: name the runs, or give "all": true'],
      [{ all: true, limit: 0 }, 'limit must be a whole number from 1 to 1000, not 0'],
      [{ all: 1 }, 'all must be true or false, not 1'],
      [{ jobName: 7 }, 'jobName must be a string, or a list of at most 20 strings, not 7'],
      [{ jobname: 'a' }, 'Unknown member of the body "jobname"; did you mean "jobName"?'],
      [{ q: '' }, 'q must be a string of 1 to 256 characters, not ""'],
      [
        { createdBefore: 'soon' },
        'createdBefore must be a Date or an ISO 8601 time with a time zone, not "soon"',
      ],
    ])('refuses %j', async (body, error) => {
      const durably = fakeDurably();
      const problem = await readProblem(await open(durably)(postJson(path, body)));
      expect(problem.status).toBe(400);
      expect(problem.body).toMatchObject({ error, code: 'VALIDATION' });
      expect(durably.calls).toEqual([]);
    });

    const narrowed = async (given: object, scope: RunFilter): Promise<unknown> => {
      const durably = fakeDurably();
      const send = open(durably, { auth: { authenticate, scopeRuns: () => scope } });
      expect((await send(postJson(path, given))).status).toBe(200);
      expect(durably.calls).toHaveLength(1);
      return durably.calls[0]?.args[0];
    };

    it("changes only runs that match the caller's filter and that of scopeRuns", async () => {
      expect(await narrowed({ all: true }, { labels: { t: 'a' } })).toMatchObject({ labels: { t: 'a' } });
      expect(await narrowed({ jobName: ['a', 'b'], q: 'x' }, { jobName: ['b', 'c'] })).toMatchObject({
        jobName: ['b'],
        q: 'x',
      });
      // The hook has forgotten what the caller asked for.
      expect(await narrowed({ jobName: 'a', status: 'failed' }, {})).toMatchObject({
        jobName: ['a'],
        status: ['failed'],
      });
      expect(await narrowed({ jobName: 'a' }, { jobName: 'b' })).toMatchObject({ jobName: [] });
      expect(await narrowed({ labels: { t: 'b', u: '1' } }, { labels: { t: 'a' } })).toMatchObject({
        status: [],
      });
      expect(await narrowed({ parentRunId: 'a' }, { parentRunId: 'b' })).toMatchObject({ status: [] });
      const [early, late] = ['2026-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z'];
      const given = { createdAfter: early, createdBefore: late };
      expect(
        await narrowed(given, { createdAfter: new Date(late), createdBefore: new Date(early) }),
      ).toMatchObject({ createdAfter: late, createdBefore: early });
      expect(await narrowed(given, { createdAfter: early })).toMatchObject(given);
    });

    it('gives scopeRuns the filter', async () => {
      const scopeRuns = vi.fn((_: unknown, filter: RunFilter) => filter);
      await open(fakeDurably(), { auth: { authenticate, scopeRuns } })(
        postJson(path, { jobName: 'a', labels: { t: '1' }, limit: 7 }),
      );
      expect(scopeRuns).toHaveBeenCalledExactlyOnceWith(ada, { jobName: 'a', labels: { t: '1' }, limit: 7 });
    });

    /** A service that asks about two runs. */
    const asking = (): FakeDurably =>
      fakeDurably({
        [method]: async (_: unknown, options: BulkOptions | undefined) => {
          await options?.allow?.(sampleRun);
          await options?.allow?.({ ...sampleRun, id: 'run_2' });
          return { count: 2, more: false };
        },
      });

    it('asks onRunAccess about each run', async () => {
      const onRunAccess = vi.fn();
      const send = open(asking(), { auth: { authenticate, onRunAccess } });
      expect((await send(postJson(path, { all: true }))).status).toBe(200);
      expect(onRunAccess.mock.calls).toEqual([
        [ada, sampleRun, { operation: command }],
        [ada, { ...sampleRun, id: 'run_2' }, { operation: command }],
      ]);
      const refusing = open(asking(), {
        auth: {
          authenticate,
          onRunAccess: () => {
            throw new RequestError('FORBIDDEN', 'Not yours');
          },
        },
      });
      expect((await refusing(postJson(path, { all: true }))).status).toBe(403);
    });
  });
});
