import { connect } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { describe, expect, it, vi } from 'vitest';
import { createDurablyApp } from '../../src/app/create-app.ts';
import type { DurablyService } from '../../src/core/durably.ts';
import type { CreateDurablyHandlerOptions } from '../../src/http/pipeline.ts';
import { listen } from '../support/net/listening.ts';
import { BASE } from './doors.ts';
import { fakeDurably, ManualCursor, streamedEvent } from './fake-durably.ts';

// The server replaces the global class. This one is the original.
const refusal = () => new NativeResponse('who are you?', { status: 401 });
const NativeResponse = globalThis.Response;

async function serve(durably: DurablyService, options: CreateDurablyHandlerOptions = {}): Promise<string> {
  const { url } = await listen(getRequestListener(createDurablyApp(durably, options).fetch));
  return `${url}${BASE}`;
}

const overCursor = (cursor: ManualCursor) =>
  fakeDurably({ openRunFeed: async () => ({ kind: 'open', cursor }) });

describe('a stream over a socket', () => {
  it('sends its headers at once, before there is any event', async () => {
    const cursor = new ManualCursor([]);
    const url = await serve(overCursor(cursor));
    const response = await fetch(`${url}/subscribe?runId=run_1`);
    const reader = response.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('retry: 1000\n\n');
    cursor.push(streamedEvent(1));
    expect(new TextDecoder().decode((await reader?.read())?.value)).toContain('id: 1\n');
    await reader?.cancel();
  });

  it('closes its cursor when the client has gone, whether or not it waits for an event', async () => {
    const cursor = new ManualCursor([]);
    const url = await serve(overCursor(cursor));
    const client = new AbortController();
    const response = await fetch(`${url}/subscribe?runId=run_1`, { signal: client.signal });
    await response.body?.getReader().read();
    client.abort();
    await vi.waitFor(() => expect(cursor.closed).toBe(true));
  });

  it('closes the cursor of a client that left while the stream was opened', async () => {
    const cursor = new ManualCursor([]);
    let open = () => {};
    const opening = new Promise<void>((resolve) => {
      open = resolve;
    });
    const openRunFeed = vi.fn(async () => {
      await opening;
      return { kind: 'open', cursor } as const;
    });
    const url = await serve(fakeDurably({ openRunFeed }));
    const client = new AbortController();
    const response = fetch(`${url}/subscribe?runId=run_1`, { signal: client.signal }).catch(() => 'gone');
    await vi.waitFor(() => expect(openRunFeed).toHaveBeenCalled());
    client.abort();
    expect(await response).toBe('gone');
    open();
    await vi.waitFor(() => expect(cursor.closed).toBe(true));
  });

  it('buffers nothing for a client that does not read', async () => {
    const endless = new ManualCursor([]);
    const big = { ...streamedEvent(1), json: JSON.stringify('x'.repeat(100_000)) };
    endless.next = async () => {
      endless.nextCalls++;
      return [big];
    };
    const url = new URL(await serve(overCursor(endless)));
    const socket = connect(Number(url.port), url.hostname);
    socket.pause();
    socket.write(`GET ${url.pathname}/subscribe?runId=run_1 HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    let seen = -1;
    // Data is read until the kernel's buffers are full, and then no more.
    await vi.waitFor(
      () => {
        const before = seen;
        seen = endless.nextCalls;
        expect(seen).toBeGreaterThan(0);
        expect(seen).toBe(before);
      },
      { interval: 100, timeout: 10_000 },
    );
    expect(seen).toBeLessThan(200);
    socket.destroy();
    await vi.waitFor(() => expect(endless.closed).toBe(true));
  });

  it("ends without the error's text when the database fails", async () => {
    const cursor = new ManualCursor([[streamedEvent(1)]]);
    cursor.fail(new Error('secret'));
    const url = await serve(overCursor(cursor), { onError: () => {} });
    const text = await (await fetch(`${url}/subscribe?runId=run_1`)).text();
    expect(text).toContain('id: 1\n');
    expect(text).not.toContain('secret');
  });
});

describe('an answer over a socket', () => {
  it('is the Response that onRequest throws, whatever its class', async () => {
    for (const make of [refusal, () => new Response('who are you?', { status: 401 })]) {
      const url = await serve(fakeDurably(), {
        onRequest: () => {
          throw make();
        },
      });
      const response = await fetch(`${url}/runs`);
      expect([response.status, await response.text()]).toEqual([401, 'who are you?']);
    }
  });

  it('accepts any Content-Type, and none', async () => {
    const durably = fakeDurably();
    const url = await serve(durably);
    for (const headers of [{ 'content-type': 'text/plain' }, { 'content-type': 'application/json' }, {}]) {
      const body = new TextEncoder().encode('{"jobName":"greet","input":{"a":1}}');
      const response = await fetch(`${url}/trigger`, { method: 'POST', body, headers });
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('application/json');
      expect(await response.json()).toEqual({ runId: 'run_1', disposition: 'created' });
    }
    expect(durably.calls.map(({ args }) => args[0])).toEqual(
      Array(3).fill({ jobName: 'greet', input: { a: 1 } }),
    );
  });

  it('has no body for HEAD, and closes streams', async () => {
    const cursor = new ManualCursor([]);
    const url = await serve(overCursor(cursor));
    for (const path of ['/runs', '/subscribe?runId=run_1']) {
      const response = await fetch(`${url}${path}`, { method: 'HEAD' });
      expect([response.status, await response.text()]).toEqual([200, '']);
    }
    expect(cursor.closed).toBe(true);
  });
});
