import type { ServerResponse } from 'node:http';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { timedFetch } from '../../src/storage/sqlite/remote/timed-fetch.ts';
import { listen } from '../support/net/listening.ts';
import { rejectionOf } from '../support/runs.ts';
import { deferred } from '../support/until.ts';

const fetch = timedFetch({ compression: false });
const READS = ['json', 'text', 'arrayBuffer'] as const;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => {
    // First what spies on the fakes: restored later, it would put them back.
    vi.restoreAllMocks();
    vi.useRealTimers();
  });
});

/** How many of its timers are left. Others set timers in the same process: Node's client, a lock that is polled. */
function watchTimers(): () => number {
  const own: unknown[] = [];
  const setTimer = globalThis.setTimeout;
  const set = vi.spyOn(globalThis, 'setTimeout').mockImplementation(((
    ...args: Parameters<typeof setTimeout>
  ) => {
    const timer = setTimer(...args);
    if (new Error().stack?.includes('timed-fetch.ts')) own.push(timer);
    return timer;
  }) as typeof setTimeout);
  const cleared = vi.spyOn(globalThis, 'clearTimeout');
  return () => {
    set.mockRestore();
    expect(own).toHaveLength(1);
    return own.filter((timer) => !cleared.mock.calls.some(([given]) => given === timer)).length;
  };
}

/** A server whose answers the test gives, and the moment at which a client closes the connection. */
async function served(answer: (response: ServerResponse) => void) {
  const cut = deferred();
  const { url } = await listen((_, response) => {
    response.on('close', () => {
      if (!response.writableFinished) cut.resolve();
    });
    answer(response);
  });
  return { url, cut: cut.promise };
}

const begin = (response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': 100 });
  response.write('{"results": [');
};

describe('a request of the client for libSQL servers', () => {
  test('is given up after 15 s without an answer', async () => {
    const arrived = deferred();
    const { url, cut } = await served(() => arrived.resolve());
    let isOver = false;
    const failed = rejectionOf(fetch(new Request(url))).finally(() => {
      isOver = true;
    });
    await arrived.promise;
    await vi.advanceTimersByTimeAsync(14_999);
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect((await failed).message).toContain('has not answered within 15000 ms');
    await cut;
  });

  test.each(READS)('is given up if its body does not come in the same time, read as %s', async (read) => {
    const { url, cut } = await served(begin);
    const response = await fetch(new Request(url));
    const failed = rejectionOf(response[read]());
    await vi.advanceTimersByTimeAsync(15_000);
    expect((await failed).message).toContain('has not answered within 15000 ms');
    await cut;
  });

  test.each(READS)('leaves no timer behind when its answer was read as %s', async (read) => {
    const { url } = await served((response) => void response.end('{"results": []}'));
    const timersLeft = watchTimers();
    await (await fetch(new Request(url)))[read]();
    expect(timersLeft()).toBe(0);
  });

  test('leaves none when the server refuses it, whether or not the refusal is read', async () => {
    const { url } = await served((response) => void response.writeHead(502).end('<html>'));
    const timersLeft = watchTimers();
    const response = await fetch(new Request(url));
    expect(timersLeft()).toBe(0);
    expect([response.status, await response.text()]).toEqual([502, '<html>']);
  });

  test('leaves none when it fails', async () => {
    const { url } = await served((response) => void response.destroy());
    const timersLeft = watchTimers();
    await rejectionOf(fetch(new Request(url)));
    expect(timersLeft()).toBe(0);
  });

  test('asks for an answer without compression', async () => {
    const { url } = await served((response) => {
      response.end(JSON.stringify(response.req.headers['accept-encoding']));
    });
    expect(await (await fetch(new Request(url))).json()).toBe('identity');
  });
});
