import { describe, expect, it, vi } from 'vitest';
import type { RunFilter } from '../../../src/core/lists/run-query.ts';
import type { DurablyAuth } from '../../../src/http/auth.ts';
import { doors, requestTo } from '../doors.ts';
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
    [{}, { counts: true }],
    [{ jobName: 'mine' }, { jobName: ['mine'], counts: true }],
    [{ jobName: [] }, { jobName: [], counts: true }],
    [
      { jobName: 'mine', limit: 5 },
      { jobName: ['mine'], counts: true },
    ],
    [{ labels: { team: 'a' } }, { counts: false }],
  ])('GET /jobs shows no counts of runs that scopeRuns hides: %j', async (filter, expected) => {
    const durably = fakeDurably();
    const send = open(durably, { auth: { authenticate, scopeRuns: () => filter } });
    expect((await send(requestTo('/jobs'))).status).toBe(200);
    expect(durably.calls).toEqual([{ method: 'getJobs', args: [expected] }]);
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
