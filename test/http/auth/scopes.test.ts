import { describe, expect, it, vi } from 'vitest';
import type { RunFilter } from '../../../src/core/lists/run-query.ts';
import type { DurablyAuth } from '../../../src/http/auth.ts';
import { doors, readProblem, requestTo } from '../doors.ts';
import { fakeDurably } from '../fake-durably.ts';
import { ada, authenticate } from './ada.ts';

describe.each(doors)('through $door', ({ open }) => {
  it('scopeRuns receives the filter, and lists use the filter that it returns', async () => {
    const durably = fakeDurably();
    const scopeRuns = vi.fn(
      (_: unknown, filter: RunFilter): RunFilter => ({ ...filter, jobName: 'mine', limit: 5 }),
    );
    const send = open(durably, { auth: { authenticate, scopeRuns } });
    await send(requestTo('/runs?jobName=theirs&jobName=mine&status=failed&limit=7&offset=2'));
    expect(scopeRuns).toHaveBeenCalledExactlyOnceWith(ada, {
      jobName: ['theirs', 'mine'],
      status: ['failed'],
      limit: 7,
      offset: 2,
    });
    expect(durably.calls).toEqual([
      { method: 'getRuns', args: [{ jobName: ['mine'], status: ['failed'], limit: 5, offset: 2 }] },
    ]);
  });

  it('scopeRuns also narrows the stream of all runs, unless that has its own hook', async () => {
    const feedOf = async (auth: DurablyAuth<unknown>, query = '') => {
      const durably = fakeDurably();
      const response = await open(durably, { auth })(requestTo(`/runs/subscribe${query}`));
      expect(response.status).toBe(200);
      await response.body?.cancel();
      return durably.calls[0]?.args[0];
    };
    const scopeRuns = vi.fn(
      (_: unknown, filter: RunFilter): RunFilter => ({ ...filter, jobName: ['mine', 'ours'] }),
    );
    expect(await feedOf({ authenticate, scopeRuns }, '?jobName=theirs&lastEventId=4')).toEqual({
      after: 4,
      jobNames: ['mine', 'ours'],
    });
    expect(scopeRuns).toHaveBeenCalledExactlyOnceWith(ada, { jobName: ['theirs'] });
    const scopeRunsSubscribe = () => ({ jobName: 'streamed' });
    expect(await feedOf({ authenticate, scopeRuns, scopeRunsSubscribe })).toEqual({ jobNames: ['streamed'] });
  });

  it.each([{ jobName: [] }, { status: [] }, { jobName: ['mine'], status: [] }])(
    'a list narrowed to %j is empty',
    async (filter) => {
      const durably = fakeDurably();
      const response = await open(durably, { auth: { authenticate, scopeRuns: () => filter } })(
        requestTo('/runs'),
      );
      expect([response.status, await response.json()]).toEqual([200, []]);
      expect(durably.calls).toEqual([]);
    },
  );

  it('narrows lists and streams by labels', async () => {
    const durably = fakeDurably();
    const scopeRuns = vi.fn(() => ({ labels: { team: 'a' } }));
    const send = open(durably, { auth: { authenticate, scopeRuns } });
    await (await send(requestTo('/runs?label.team=b&limit=5'))).body?.cancel();
    await (await send(requestTo('/runs/subscribe?label.team=b'))).body?.cancel();
    expect(scopeRuns.mock.calls).toMatchObject([
      [ada, { labels: { team: 'b' } }],
      [ada, { labels: { team: 'b' } }],
    ]);
    expect(durably.calls).toEqual([
      { method: 'getRuns', args: [{ labels: { team: 'a' }, limit: 5, offset: 0 }] },
      { method: 'openRunListFeed', args: [{ labels: { team: 'a' } }] },
    ]);
  });

  it.each([
    [{}, { counts: true, schedules: true }],
    [{ jobName: 'mine' }, { jobName: ['mine'], counts: true, schedules: true }],
    [{ jobName: [] }, { jobName: [], counts: true, schedules: true }],
    [
      { jobName: 'mine', limit: 5 },
      { jobName: ['mine'], counts: true, schedules: true },
    ],
    [{ labels: { team: 'a' } }, { counts: false, schedules: false }],
  ])(
    'GET /jobs shows no counts of runs that scopeRuns hides, and no schedules: %j',
    async (filter, expected) => {
      const durably = fakeDurably();
      const send = open(durably, { auth: { authenticate, scopeRuns: () => filter } });
      expect((await send(requestTo('/jobs'))).status).toBe(200);
      expect(durably.calls).toEqual([{ method: 'getJobs', args: [expected] }]);
    },
  );

  it.each([
    [{ jobName: 'mine' }, ['mine']],
    [{ jobName: [] }, []],
  ])('GET /stats has the numbers of the jobs that scopeRuns allows: %j', async (filter, jobName) => {
    const durably = fakeDurably();
    const send = open(durably, { auth: { authenticate, scopeRuns: () => filter } });
    expect((await send(requestTo('/stats?jobName=theirs'))).status).toBe(200);
    expect(durably.calls).toEqual([{ method: 'getStats', args: [{ jobName, since: '1d', bucket: '1h' }] }]);
  });

  it('GET /stats is refused if scopeRuns hides some runs of a job', async () => {
    const durably = fakeDurably();
    const scopeRuns = () => ({ jobName: 'mine', labels: { team: 'a' } });
    const { status, body } = await readProblem(
      await open(durably, { auth: { authenticate, scopeRuns } })(requestTo('/stats')),
    );
    expect([status, body.code]).toEqual([403, 'FORBIDDEN']);
    expect(durably.calls).toEqual([]);
  });

  it.each(['/workers', '/overview'])('GET %s needs onManage beside hooks that narrow', async (path) => {
    const durably = fakeDurably();
    const scopeRuns = (_: unknown, filter: RunFilter) => filter;
    const refused = await open(durably, { auth: { authenticate, scopeRuns } })(requestTo(path));
    expect(refused.status).toBe(403);
    const onManage = vi.fn();
    const allowed = await open(durably, { auth: { authenticate, scopeRuns, onManage } })(requestTo(path));
    expect(allowed.status).toBe(200);
    expect(onManage).toHaveBeenCalledExactlyOnceWith(ada, { operation: path.slice(1) });
  });

  it('a stream narrowed to no job reads no events', async () => {
    const durably = fakeDurably();
    const send = open(durably, { auth: { authenticate, scopeRuns: () => ({ jobName: [] }) } });
    await (await send(requestTo('/runs/subscribe'))).body?.cancel();
    expect(durably.calls).toEqual([{ method: 'openRunListFeed', args: [{ jobNames: [] }] }]);
  });

  it.each([
    ['/runs', { team: 'a' }],
    ['/runs/subscribe', { status: 'failed' }],
    ['/runs/subscribe', { team: 'a' }],
    ['/runs', undefined],
    ['/runs', null],
    ['/runs', 'mine'],
  ])("GET %s shows nothing when scopeRuns returns %j, which it can't apply", async (path, filter) => {
    const durably = fakeDurably();
    const onError = vi.fn();
    const scopeRuns = () => filter as RunFilter;
    const response = await open(durably, { onError, auth: { authenticate, scopeRuns } })(requestTo(path));
    expect(response.status).toBe(500);
    expect(String(onError.mock.calls[0]?.[0])).toContain('scopeRuns');
    expect(durably.calls).toEqual([]);
  });
});
