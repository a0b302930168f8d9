import { expect, it } from 'vitest';
import type { Start } from './client.ts';
import { type Frame, framesOf, typesOf } from './frames.ts';

/** What callers see of streams, from the first event to the deletion of a run. */
export function testStreams(start: Start): void {
  it('a stream replays from the first event and resumes after any, with the same bytes for every reader', async () => {
    const { get, runToEnd } = await start();
    const { runId, frames } = await runToEnd('greet', { input: { name: 'Ada' } });
    expect(await framesOf(await get(`/subscribe?runId=${runId}`))).toEqual(frames);
    for (const [place, { id }] of frames.entries()) {
      if (id === undefined) continue;
      const resumed = await get(`/subscribe?runId=${runId}`, { headers: { 'last-event-id': id } });
      if (place === frames.length - 1) expect(resumed.status).toBe(204);
      else expect(await framesOf(resumed)).toEqual([frames[0], ...frames.slice(place + 1)]);
    }
  });

  it('a stream that began before the end receives the end, also one that began before the start', async () => {
    const { get, trigger, openGate } = await start();
    const runId = await trigger('wait');
    const following = framesOf(await get(`/subscribe?runId=${runId}`));
    openGate();
    expect(typesOf(await following).at(-1)).toBe('run:complete');
  });

  it('a reader that has seen the deletion of its run is told not to reconnect', async () => {
    const { get, runToEnd, command } = await start();
    const list = await get('/runs/subscribe');
    const { runId } = await runToEnd('fail');
    expect((await command('DELETE', '/run', runId)).status).toBe(200);
    const frames = await framesOf(list, ({ data }) => data?.type === 'run:delete');
    const deleted = frames.at(-1);
    expect(deleted?.data).toMatchObject({ type: 'run:delete', runId });
    const headers = { 'last-event-id': deleted?.id ?? '' };
    expect((await get(`/subscribe?runId=${runId}`, { headers })).status).toBe(204);
    expect((await get(`/subscribe?runId=${runId}`)).status).toBe(404);
  });

  it('the stream of all runs begins now, says at which id, and misses nothing after it', async () => {
    const { get, runToEnd } = await start();
    await runToEnd('greet', { input: { name: 'before' } });
    const stream = await get('/runs/subscribe');
    const head = (await framesOf(stream, ({ id }) => id !== undefined)).at(-1);
    expect(head?.text).toMatch(/^id: \d+$/);

    const { runId } = await runToEnd('greet', { input: { name: 'after' } });
    const resumed = await get('/runs/subscribe', { headers: { 'last-event-id': head?.id ?? '' } });
    const frames = await framesOf(resumed, ({ data }) => data?.type === 'run:complete');
    expect(typesOf(frames)).toEqual([
      'run:trigger',
      'run:start',
      'run:progress',
      'step:start',
      'step:complete',
      'run:complete',
    ]);
    expect(frames.slice(1).every(({ data }) => data?.runId === runId)).toBe(true);
  });

  it('the stream of all runs can be restricted to some jobs', async () => {
    const { get, runToEnd } = await start();
    const stream = await get('/runs/subscribe?jobName=fail&jobName=lie');
    await runToEnd('greet', { input: { name: 'Ada' } });
    await runToEnd('fail');
    await runToEnd('lie');
    const frames = await framesOf(stream, ({ data }) => data?.type === 'run:fail' && data.jobName === 'lie');
    expect(new Set(frames.flatMap(({ data }) => data?.jobName ?? []))).toEqual(new Set(['fail', 'lie']));
  });

  it('lists, streams and retriggers runs with their labels', async () => {
    const { get, runToEnd, readRun, command } = await start();
    const stream = await get('/runs/subscribe?label.org=1&label.kind=x');
    const input = { name: 'Ada' };
    const one = await runToEnd('greet', { input, labels: { org: '1', kind: 'x' } });
    const two = await runToEnd('greet', { input, labels: { org: '1', kind: 'y' } });
    const three = await runToEnd('fail', { labels: { kind: 'x', org: '1' } });
    expect((await command('DELETE', '/run', three.runId)).status).toBe(200);
    expect(await readRun(two.runId)).toMatchObject({
      ...{ labels: { org: '1', kind: 'y' }, isTerminal: true, isActive: false },
    });
    const ids = async (query: string) => {
      const runs: { id: string }[] = await (await get(`/runs?${query}`)).json();
      return runs.map(({ id }) => id);
    };
    expect(await ids('label.org=1')).toEqual([two.runId, one.runId]);
    expect(await ids('label.org=1&label.kind=x&jobName=greet&status=completed')).toEqual([one.runId]);
    expect(await ids('label.org=1&status=leased')).toEqual([]);
    expect(await ids('label.org=2')).toEqual([]);

    const { success, runId } = await (await command('POST', '/retrigger', one.runId)).json();
    expect(success).toBe(true);
    await framesOf(await get(`/subscribe?runId=${runId}`));
    expect(await readRun(runId)).toMatchObject({
      ...{ jobName: 'greet', status: 'completed', payload: { name: 'Ada', loud: false } },
      labels: { org: '1', kind: 'x' },
    });

    const frames = await framesOf(
      stream,
      ({ data }) => data?.type === 'run:complete' && data.runId === runId,
    );
    const deleted = frames.find(({ data }) => data?.type === 'run:delete');
    expect(deleted?.data).toEqual({
      ...{ type: 'run:delete', runId: three.runId, jobName: 'fail' },
      ...{ timestamp: expect.any(String), sequence: expect.any(Number) },
    });
    const seen = new Set(frames.flatMap(({ data }) => data?.runId ?? []));
    expect(seen).toContain(one.runId);
    expect(seen).not.toContain(two.runId);
    const resumed = await get('/runs/subscribe?label.kind=x&label.org=1', {
      headers: { 'last-event-id': deleted?.id ?? '' },
    });
    const rest = await framesOf(resumed, ({ data }) => data?.type === 'run:complete');
    expect(rest.slice(1)).toEqual(frames.slice(frames.indexOf(deleted as Frame) + 1));
  });
}
