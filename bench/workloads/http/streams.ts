import { setTimeout as pause } from 'node:timers/promises';
import type { Bench } from '../../bench.ts';
import { Child } from '../../processes/child.ts';
import type { Served } from '../../protocol.ts';
import { type Address, TRIGGER_BODY, whileServing } from '../serving.ts';
import type { Workload } from '../workload.ts';

const DELIVERED_WITHIN_MS = 120_000;

export const subscribers: Workload = {
  id: 'subscribers',
  title: '500 subscribers on /runs/subscribe during a burst of 1,000 runs',
  method:
    'The subscribers are streams of one process, the burst comes over 10 connections of another, the worker is on (concurrency 10, runs without steps). Every stream must get run:trigger and run:complete of every run. p95 is from the moment that the server’s own listener hears of an event (after its commit) to its arrival, over all events of all streams.',
  metrics: [
    { id: 'delivered', title: 'events that arrived, of all to every stream', unit: 'share' },
    { id: 'p95', title: 'delivery, p95', unit: 'ms' },
    { id: 'triggers', title: 'triggers meanwhile', unit: 'per second' },
  ],
  run: async (bench) => {
    const scale = bench.pick({
      full: { streams: 500, runs: 1_000 },
      quick: { streams: 100, runs: 200 },
    });
    const parties = { readers: new Child(), callers: new Child() };
    try {
      await bench.interleave<Served>({
        workload: 'subscribers',
        contenders: ['durably', 'durably-service', 'coji'],
        rounds: bench.pick({ full: 3, quick: 1 }),
        // A round of the peer takes a minute.
        warmUp: false,
        round: (server, contender) =>
          whileServing(bench, { server, contender, worker: 'on' }, (address) =>
            burst(address, { server, ...parties, ...scale }),
          ),
      });
    } finally {
      parties.readers.end();
      parties.callers.end();
    }
  },
};

interface Burst {
  readonly server: Child;
  readonly readers: Child;
  readonly callers: Child;
  readonly streams: number;
  readonly runs: number;
}

async function burst({ url, basePath }: Address, { server, readers, callers, streams, runs }: Burst) {
  await readers.call('openStreams', { url: `${url}${basePath}/runs/subscribe`, count: streams });
  try {
    const { perSecond } = await callers.call('fire', {
      url,
      path: `${basePath}/trigger`,
      method: 'POST',
      body: TRIGGER_BODY,
      connections: 10,
      requests: runs,
    });
    const deadline = performance.now() + DELIVERED_WITHIN_MS;
    const expected = 2 * runs * streams;
    let arrived = 0;
    while (arrived < expected && performance.now() < deadline) {
      await pause(100);
      arrived = await readers.call('countArrivals');
    }
    const emitted = await server.call('readEmitted');
    const { isComplete, p95Ms } = await readers.call('readArrivals', emitted);
    if (arrived >= expected && !isComplete) throw new Error('a stream was told something twice');
    return { delivered: arrived / expected, p95: p95Ms, triggers: perSecond };
  } finally {
    await readers.call('closeStreams');
  }
}

export const idleStreams: Workload = {
  id: 'idle-streams',
  title: '5,000 idle SSE subscribers',
  method:
    'Growth of the server process’s resident memory from no stream to all of them, garbage collected before both, by stream.',
  metrics: [{ id: 'each', title: 'each subscriber', unit: 'KB' }],
  run: async (bench) => {
    const streams = bench.pick({ full: 5_000, quick: 1_000 });
    await bench.interleave<Served>({
      workload: 'idle-streams',
      contenders: ['durably', 'durably-service', 'coji'],
      rounds: bench.pick({ full: 3, quick: 1 }),
      warmUp: false,
      round: (_child, contender) => holdIdle(bench, { contender, streams }),
    });
  },
};

/** Uses new processes each time. A process that was used before would reuse memory without growing. */
async function holdIdle(bench: Bench, { contender, streams }: { contender: Served; streams: number }) {
  const server = new Child();
  const readers = new Child();
  try {
    return await whileServing(
      bench,
      { server, contender, worker: 'on' },
      async ({ url, basePath }: Address) => {
        const open = { url: `${url}${basePath}/runs/subscribe`, count: 50 };
        // The first streams also load code, so they are opened before the measurement.
        await readers.call('openStreams', open);
        const before = await server.call('memoryKb');
        await readers.call('openStreams', { ...open, count: streams });
        await pause(1_000);
        const each = ((await server.call('memoryKb')) - before) / streams;
        await readers.call('closeStreams');
        return { each };
      },
    );
  } finally {
    server.end();
    readers.end();
  }
}
