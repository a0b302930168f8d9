import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DurablyService } from '../../src/core/durably.ts';
import { doors, requestTo } from './doors.ts';
import { fakeDurably, ManualCursor, streamedEvent } from './fake-durably.ts';

const frame = (sequence: number) => `id: ${sequence}\ndata: ${streamedEvent(sequence).json}\n\n`;

function serviceOver(cursor: ManualCursor): DurablyService {
  return fakeDurably({
    openRunFeed: async () => ({ kind: 'open', cursor }),
    openRunListFeed: async ({ after = 7 } = {}) => ({ after, cursor }),
  });
}

/** Reads one chunk after another as text. Null at the end. */
function chunksOf(response: Response) {
  const reader = response.body?.getReader();
  if (reader === undefined) throw new Error('the response has no body');
  return {
    next: async () => {
      const { done, value } = await reader.read();
      return done ? null : new TextDecoder().decode(value);
    },
    cancel: () => reader.cancel(),
  };
}

describe.each(doors)('an event stream, through $door', ({ open }) => {
  const subscribe = (cursor: ManualCursor, init: RequestInit = {}, options = {}) =>
    open(serviceOver(cursor), options)(requestTo('/subscribe?runId=run_1', init));

  it('has headers that stop proxies from caching, changing or buffering it', async () => {
    const { status, headers, body } = await subscribe(new ManualCursor([]));
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/event-stream');
    expect(headers.get('cache-control')).toBe('no-cache, no-transform');
    expect(headers.get('x-accel-buffering')).toBe('no');
    await body?.cancel();
  });

  it('begins with the pause before a reconnect, then has one frame per event, and ends', async () => {
    const cursor = new ManualCursor([[streamedEvent(1), streamedEvent(2)], [streamedEvent(5)]]);
    cursor.finish();
    const response = await subscribe(cursor);
    expect(await response.text()).toBe(`retry: 1000\n\n${frame(1)}${frame(2)}${frame(5)}`);
    expect(cursor.closed).toBe(true);
  });

  it('sends the events of one read as one chunk', async () => {
    const cursor = new ManualCursor([[streamedEvent(1), streamedEvent(2)]]);
    const chunks = chunksOf(await subscribe(cursor));
    expect(await chunks.next()).toBe('retry: 1000\n\n');
    expect(await chunks.next()).toBe(frame(1) + frame(2));
    await chunks.cancel();
  });

  it('is encoded once for readers of the same list', async () => {
    const events = [streamedEvent(1), streamedEvent(2)];
    const sent = [1, 2].map(async () => {
      const reader = (await subscribe(new ManualCursor([events]))).body?.getReader();
      await reader?.read();
      const { value } = (await reader?.read()) ?? {};
      await reader?.cancel();
      return value;
    });
    const [one, other] = await Promise.all(sent);
    expect(one).toBeInstanceOf(Uint8Array);
    expect(other).toBe(one);
  });

  it('answers 204 to a client that reconnects after the end', async () => {
    const durably = fakeDurably({ openRunFeed: async () => ({ kind: 'ended' }) });
    const response = await open(durably)(
      requestTo('/subscribe?runId=run_1', { headers: { 'last-event-id': '3' } }),
    );
    expect(response.status).toBe(204);
    expect(response.body).toBeNull();
  });

  it('of all runs first sends its starting id, without an event', async () => {
    const chunks = chunksOf(await open(serviceOver(new ManualCursor([])))(requestTo('/runs/subscribe')));
    expect(await chunks.next()).toBe('retry: 1000\n\nid: 7\n\n');
    await chunks.cancel();
  });

  it('of all runs does not repeat the starting id of a reconnect', async () => {
    const cursor = new ManualCursor([[streamedEvent(6)]]);
    const chunks = chunksOf(await open(serviceOver(cursor))(requestTo('/runs/subscribe?lastEventId=5')));
    expect(await chunks.next()).toBe('retry: 1000\n\n');
    expect(await chunks.next()).toBe(frame(6));
    await chunks.cancel();
  });

  it('does not read ahead of a slow reader', async () => {
    const cursor = new ManualCursor([[streamedEvent(1)], [streamedEvent(2)], [streamedEvent(3)]]);
    const chunks = chunksOf(await subscribe(cursor));
    expect(cursor.nextCalls).toBe(0);
    await chunks.next();
    await chunks.next();
    expect(cursor.nextCalls).toBe(1);
    await chunks.cancel();
    expect(cursor.nextCalls).toBe(1);
  });

  it('closes its cursor as soon as the reader cancels, whether or not it waits', async () => {
    const waiting = new ManualCursor([]);
    const chunks = chunksOf(await subscribe(waiting));
    await chunks.next();
    const pending = chunks.next();
    await chunks.cancel();
    expect(waiting.closed).toBe(true);
    expect(await pending).toBeNull();

    const unread = new ManualCursor([[streamedEvent(1)]]);
    await (await subscribe(unread)).body?.cancel();
    expect(unread.closed).toBe(true);
  });

  it('ends when the request is aborted, also before it began', async () => {
    const client = new AbortController();
    const cursor = new ManualCursor([]);
    const chunks = chunksOf(await subscribe(cursor, { signal: client.signal }));
    await chunks.next();
    const pending = chunks.next();
    client.abort();
    expect(cursor.closed).toBe(true);
    expect(await pending).toBeNull();

    const gone = new ManualCursor([]);
    const response = await subscribe(gone, { signal: AbortSignal.abort() });
    expect(gone.closed).toBe(true);
    await response.body?.cancel();
  });

  it('ends after the events it has read when the service shuts down', async () => {
    const shutdown = new AbortController();
    const cursor = new ManualCursor([[streamedEvent(1)]]);
    const response = await subscribe(cursor, {}, { shutdown: shutdown.signal });
    const text = response.text();
    await vi.waitFor(() => expect(cursor.nextCalls).toBe(2));
    shutdown.abort();
    expect(await text).toBe(`retry: 1000\n\n${frame(1)}`);
    expect(cursor.closed).toBe(true);

    const late = new ManualCursor([]);
    expect(await (await subscribe(late, {}, { shutdown: shutdown.signal })).text()).toBe('retry: 1000\n\n');
    expect(late.closed).toBe(true);
  });

  it('ends when the database fails, and logs the failure', async () => {
    const onError = vi.fn();
    const cursor = new ManualCursor([[streamedEvent(1)]]);
    const failure = new Error('secret');
    cursor.fail(failure);
    const response = await subscribe(cursor, {}, { onError });
    expect(await response.text()).toBe(`retry: 1000\n\n${frame(1)}`);
    expect(onError).toHaveBeenCalledExactlyOnceWith(failure, expect.anything());
    expect(cursor.closed).toBe(true);
  });

  describe('an idle event stream', () => {
    beforeEach(() => {
      vi.useFakeTimers();
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it('sends a comment every 15 seconds, and continues', async () => {
      const cursor = new ManualCursor([]);
      const chunks = chunksOf(await subscribe(cursor));
      await chunks.next();
      for (let i = 0; i < 3; i++) {
        const pending = chunks.next();
        await vi.advanceTimersByTimeAsync(14_999);
        const early = await Promise.race([pending, Promise.resolve('nothing yet')]);
        expect(early).toBe('nothing yet');
        await vi.advanceTimersByTimeAsync(1);
        expect(await pending).toBe(': keep-alive\n\n');
      }
      const pending = chunks.next();
      cursor.push(streamedEvent(1));
      expect(await pending).toBe(frame(1));
      cursor.finish();
      expect(await chunks.next()).toBeNull();
      expect(vi.getTimerCount()).toBe(0);
    });

    it('collects no comments for a reader that does not read', async () => {
      const cursor = new ManualCursor([]);
      const chunks = chunksOf(await subscribe(cursor));
      await chunks.next();
      await vi.advanceTimersByTimeAsync(10 * 60_000);
      expect(await chunks.next()).toBe(': keep-alive\n\n');
      const pending = chunks.next();
      cursor.push(streamedEvent(1));
      expect(await pending).toBe(frame(1));
      await chunks.cancel();
    });

    it('leaves no timer behind', async () => {
      const chunks = chunksOf(await subscribe(new ManualCursor([])));
      await chunks.next();
      expect(vi.getTimerCount()).toBe(1);
      await chunks.cancel();
      expect(vi.getTimerCount()).toBe(0);
    });
  });
});
