import { createDurably, useJob, useJobLogs, useJobRun, useRunActions, useRuns } from '@coji/durably-react';
import { EventSource } from 'eventsource';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Run } from '../../src/index.ts';
import { untilStatus } from '../support/runs.ts';
import { until } from '../support/until.ts';
import { renderHook } from './render-hook.ts';
import { startService } from './service.ts';

/** Provides an EventSource as in browsers, and records the opened streams. */
function openedSources(): EventSource[] {
  const opened: EventSource[] = [];
  class Kept extends EventSource {
    constructor(url: string | URL) {
      super(url);
      opened.push(this);
    }
  }
  vi.stubGlobal('EventSource', Kept);
  onTestFinished(() => {
    for (const source of opened) source.close();
    vi.unstubAllGlobals();
  });
  return opened;
}

async function start() {
  const sources = openedSources();
  const service = await startService();
  /** Waits until a stream with this path is open, so that later events are received. */
  const untilOpen = (path: string) =>
    until(
      () => sources.some(({ url, readyState }) => url.includes(path) && readyState === EventSource.OPEN),
      `a stream of ${path}`,
    );
  /** Waits until the client has closed the run's stream, as the service's 204 tells it to. */
  const untilClosed = (runId: string) =>
    until(() => {
      const own = sources.filter(({ url }) => url.includes(`/subscribe?runId=${runId}`));
      return own.length > 0 && own.every(({ readyState }) => readyState === EventSource.CLOSED);
    }, `the stream of ${runId} to be given up`);
  return { ...service, untilOpen, untilClosed };
}

/** The client takes the type of a run from @coji/durably, which is not installed. */
const ids = (runs: readonly unknown[]) => runs.map((run) => (run as Run).id);

describe('@coji/durably-react 0.15', () => {
  test('triggers a run and follows it to its end', async () => {
    const { api, untilClosed } = await start();
    const hook = await renderHook(() =>
      useJob<{ name: string }, { text: string }>({ api, jobName: 'greet' }),
    );
    const { runId } = await hook.current.trigger({ name: 'Ada' });
    const ended = await hook.until(({ isTerminal }) => isTerminal, 'the end');
    expect(ended).toMatchObject({ status: 'completed', isCompleted: true, currentRunId: runId });
    expect(ended.output).toEqual({ text: 'Hello 3' });
    expect(ended.progress).toEqual({ current: 1, total: 2, message: 'composing' });
    expect(ended.logs).toMatchObject([
      { runId, level: 'info', message: 'composed', data: { text: 'Hello 3' } },
    ]);
    await untilClosed(runId);
    expect(hook.current).toMatchObject({ status: 'completed', output: { text: 'Hello 3' } });
  });

  test('waits for the output of a run', async () => {
    const { api } = await start();
    const hook = await renderHook(() =>
      useJob<{ name: string }, { text: string }>({ api, jobName: 'greet', followLatest: false }),
    );
    expect(await hook.current.triggerAndWait({ name: 'Grace' })).toMatchObject({
      output: { text: 'Hello 5' },
    });
    await expect(hook.current.trigger({ name: 7 as never })).rejects.toThrow(/Invalid input for job greet/);
  });

  test('resumes the run that is running when it mounts', async () => {
    const { api, durably, openGate } = await start();
    const run = await durably.trigger({ jobName: 'wait', input: {} });
    await untilStatus(durably, run.id, 'running');
    const hook = await renderHook(() => useJob({ api, jobName: 'wait', followLatest: false }));
    await hook.until(({ currentRunId }) => currentRunId === run.id, 'the running run');
    openGate();
    const ended = await hook.until(({ isTerminal }) => isTerminal, 'the end');
    expect(ended).toMatchObject({ status: 'completed', output: 'opened' });
  });

  test('follows a run that others trigger later', async () => {
    const { api, durably, untilOpen } = await start();
    const hook = await renderHook(() => useJob({ api, jobName: 'greet' }));
    await untilOpen('/runs/subscribe?jobName=greet');
    const { id } = await durably.trigger({ jobName: 'greet', input: { name: 'Ada' } });
    const ended = await hook.until(({ isTerminal }) => isTerminal, 'the end');
    expect(ended).toMatchObject({ currentRunId: id, output: { text: 'Hello 3' } });
  });

  test.each([
    ['fail', 'failed'],
    ['wait', 'cancelled'],
  ] as const)('sees run of %s end as %s', async (jobName, status) => {
    const { api, durably, untilOpen, untilClosed } = await start();
    const { id } = await durably.trigger({ jobName, input: {} });
    const ends = { onComplete: vi.fn(), onFail: vi.fn() };
    const hook = await renderHook(() => useJobRun({ api, runId: id, ...ends }));
    if (status === 'cancelled') {
      await untilOpen(id);
      expect(hook.current).toMatchObject({ status: 'pending', isActive: true });
      await durably.cancel(id);
    }
    await hook.until(({ isTerminal }) => isTerminal, 'the end');
    await untilClosed(id);
    expect(hook.current.status).toBe(status);
    expect(ends.onComplete).not.toHaveBeenCalled();
    expect(ends.onFail).toHaveBeenCalledTimes(status === 'failed' ? 1 : 0);
  });

  test('shows the log lines of a run', async () => {
    const { api, durably } = await start();
    const { id } = await durably.trigger({ jobName: 'greet', input: { name: 'Ada' } });
    const hook = await renderHook(() => useJobLogs({ api, runId: id }));
    const { logs } = await hook.until((current) => current.logs.length > 0, 'a log line');
    expect(logs).toMatchObject([{ message: 'composed' }]);
  });

  test('reads, cancels, deletes and retriggers runs', async () => {
    const { api, durably } = await start();
    const { current: actions } = await renderHook(() => useRunActions({ api }));
    const labels = { org: '1' };
    const greeted = await durably.trigger({ jobName: 'greet', input: { name: 'Ada' }, labels });
    await untilStatus(durably, greeted.id, 'completed');
    expect(await actions.getSteps(greeted.id)).toMatchObject([{ name: 'compose', status: 'completed' }]);
    expect(await actions.getRun(greeted.id)).toMatchObject({
      ...{ jobName: 'greet', status: 'completed', isTerminal: true, isActive: false, labels },
      output: { text: 'Hello 3' },
    });

    const again = await actions.retrigger(greeted.id);
    expect(again).not.toBe(greeted.id);
    expect((await untilStatus(durably, again, 'completed')).output).toEqual({ text: 'Hello 3' });
    await expect(actions.retrigger('run_none')).rejects.toThrow('Run not found');

    const held = await durably.trigger({ jobName: 'wait', input: {} });
    expect(await actions.getRun(held.id)).toMatchObject({ isTerminal: false, isActive: true });
    await expect(actions.deleteRun(held.id)).rejects.toThrow(/Cannot delete a \w+ run/);
    await actions.cancel(held.id);
    expect(await durably.getRun(held.id)).toMatchObject({ status: 'cancelled' });
    await expect(actions.cancel(held.id)).rejects.toThrow('Cannot cancel a cancelled run');
    await actions.deleteRun(held.id);
    expect(await actions.getRun(held.id)).toBeNull();
  });

  test('lists runs by labels, job, status and page, and updates them', async () => {
    const { api, durably, untilOpen } = await start();
    const trigger = (name: string, org: string) =>
      durably.trigger({ jobName: 'greet', input: { name }, labels: { org, kind: 'greeting' } });
    const ours: Run[] = [];
    for (const name of ['a', 'bb', 'ccc']) {
      ours.unshift(await trigger(name, '1'));
      await trigger(name, '2');
    }
    for (const { id } of await durably.getRuns()) await untilStatus(durably, id, 'completed');

    const labels = { org: '1', kind: 'greeting' };
    const hook = await renderHook(() => useRuns({ api, labels, jobName: ['greet', 'wait'], pageSize: 2 }));
    await hook.until(({ runs }) => runs.length === 2, 'the first page');
    expect([ids(hook.current.runs), hook.current.hasMore]).toEqual([ids(ours.slice(0, 2)), true]);
    expect(hook.current.runs[0]).toMatchObject({ labels, status: 'completed', output: { text: 'Hello 3' } });
    hook.current.nextPage();
    await hook.until(({ runs, page }) => page === 1 && runs.length === 1, 'the second page');
    expect([ids(hook.current.runs), hook.current.hasMore]).toEqual([ids(ours.slice(2)), false]);
    hook.current.prevPage();
    await untilOpen('/runs/subscribe');

    const held = await durably.trigger({ jobName: 'wait', input: {}, labels });
    await hook.until(({ runs }) => runs[0]?.id === held.id, 'the new run');
    const leased = await renderHook(() => useRuns({ api, labels, status: ['leased'], realtime: false }));
    await untilStatus(durably, held.id, 'running');
    await leased.current.refresh();
    await leased.until(({ runs }) => runs.length === 1, 'the running run');
    expect(ids(leased.current.runs)).toEqual([held.id]);
    await durably.cancel(held.id);
    await hook.until(({ runs }) => runs[0]?.status === 'cancelled', 'the cancelled run');
    await durably.deleteRun(held.id);
    await hook.until(({ runs }) => runs[0]?.id === ours[0]?.id, 'the run to be gone');
    expect(hook.current.error).toBeNull();
  });

  test('works through its typed hooks, named after the jobs', async () => {
    const { api, durably } = await start();
    const client = createDurably<typeof durably>({ api });
    const { id } = await durably.trigger({ jobName: 'greet', input: { name: 'Ada' } });
    const hook = await renderHook(() => client.greet.useRun(id));
    const ended = await hook.until(({ isTerminal }) => isTerminal, 'the end');
    expect(ended).toMatchObject({ status: 'completed', output: { text: 'Hello 3' } });
  });
});
