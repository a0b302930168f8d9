import { expect, test, vi } from 'vitest';
import { restlessSubscribers } from './scenarios/subscribers.ts';
import { report, scale, seeded } from './support/chaos.ts';
import { eventually } from './support/eventually.ts';
import { withFleet } from './support/fleet.ts';
import { openStream } from './support/raw-stream.ts';
import { countOpen, readRecords } from './support/records.ts';

vi.setConfig({ testTimeout: 600_000 });

test('clients that reconnect to other processes receive each event once, in order', async () => {
  const outcome = await restlessSubscribers({ random: seeded('subscribers'), runs: scale(12) });
  report('subscribers', outcome);
  expect(outcome.violations).toEqual([]);
  expect(outcome.figures.connections).toBeGreaterThan(2 * (outcome.figures.subscribers ?? 0));
});

test('a client that stops reading costs no memory, and continues where it stopped', async () => {
  // Simulates an hour of events in a few seconds, many times what the service may buffer for its readers.
  const lines = 4500;
  const bytes = 8 * 1024;
  await withFleet({ DURABLY_CONCURRENCY: 2 }, async (fleet) => {
    const service = await fleet.start();
    const api = fleet.api(service);
    await api.triggered({ jobName: 'chatter', input: { lines: 500, bytes } });
    await eventually('the warm-up', () => countOpen(fleet.database) === 0);
    const { aliveBytes: before } = await service.measure();

    const runId = await api.triggered({ jobName: 'chatter', input: { lines, bytes } });
    const stream = await openStream(`${api.base}/subscribe?runId=${runId}`);
    stream.stopReading();
    await eventually('the run to end', () => countOpen(fleet.database) === 0);
    const { aliveBytes: after } = await service.measure();
    const unreadBytes = lines * bytes - stream.bytes;
    report('a client that does not read', {
      figures: { 'unread MB': unreadBytes / 1e6, 'memory grew by MB': (after - before) / 1e6 },
    });
    expect(unreadBytes).toBeGreaterThan(30e6);
    // The service keeps a window of the latest events, whoever reads them.
    expect(after - before).toBeLessThan(15e6);

    stream.goOn();
    const ids = await stream.ids();
    const rows = readRecords(fleet.database).journal.filter(({ run_id }) => run_id === runId);
    expect(ids).toEqual(rows.map(({ sequence }) => sequence));
    expect(fleet.seenViolations()).toEqual([]);
  });
});

test('each of 2,000 subscribers of one process receives every event', async () => {
  const count = 2000;
  const runs = 3;
  await withFleet({}, async (fleet) => {
    const service = await fleet.start();
    const api = fleet.api(service);
    const { rssBytes: before } = await service.measure();
    const start = performance.now();
    const streams = await Promise.all(
      Array.from({ length: count }, () => openStream(`${api.base}/runs/subscribe`)),
    );
    await eventually('all to be connected', () => streams.every((stream) => stream.bytes > 0));
    const connectedMs = performance.now() - start;
    const { rssBytes: connected } = await service.measure();

    const triggeredAt = performance.now();
    const input = { steps: 3, maxMs: 5 };
    await Promise.all(Array.from({ length: runs }, () => api.triggered({ jobName: 'work', input })));
    const listed = await eventually('the runs to end', () => {
      if (countOpen(fleet.database) > 0) return undefined;
      return readRecords(fleet.database).journal.filter(({ type }) => type !== 'log:write');
    });
    const endedMs = performance.now() - triggeredAt;
    const last = listed.at(-1)?.sequence ?? 0;
    await eventually('all to be told', () => streams.every((stream) => stream.lastId === last));
    const toldMs = performance.now() - triggeredAt;
    const { maxLoopDelayMs } = await service.measure();
    for (const stream of streams) stream.close();

    const told = await Promise.all(streams.map((stream) => stream.ids()));
    const expected = JSON.stringify(listed.map(({ sequence }) => sequence));
    expect(told.filter((ids) => JSON.stringify(ids) !== expected)).toEqual([]);
    // Keep-alive comments come after a long silence, which each stream has at its own time.
    const texts = streams.map((stream) => stream.text.replaceAll(': keep-alive\n\n', ''));
    expect(new Set(texts).size).toBe(1);
    report('2,000 subscribers', {
      figures: {
        'connected in ms': connectedMs,
        'KB each': (connected - before) / count / 1024,
        events: listed.length,
        'runs ended after ms': endedMs,
        'all told after ms': toldMs,
        'deliveries per second': (listed.length * count) / (toldMs / 1000),
        'longest loop delay ms': maxLoopDelayMs,
      },
    });
    await eventually('the streams to be freed', async () => (await api.ready()).status === 200);
    expect(fleet.seenViolations({ expected: ['lease'] })).toEqual([]);
  });
});
