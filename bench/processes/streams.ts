import { get, type IncomingMessage } from 'node:http';
import type { EventTimes } from '../protocol.ts';

interface Stream {
  response: IncomingMessage;
  rest: string;
}

export const eventKey = (type: string, runId: string) => `${type} ${runId}`;

let streams: Stream[] = [];
/** The arrival times of each event, one per stream. */
let arrivals = new Map<string, number[]>();

/** Opens SSE streams. Resolves when each has received its headers. */
export async function openStreams({ url, count }: { url: string; count: number }): Promise<void> {
  arrivals = new Map();
  for (let opened = 0; opened < count; opened += 100) {
    const group = Array.from({ length: Math.min(100, count - opened) }, () => openStream(url));
    streams.push(...(await Promise.all(group)));
  }
}

function openStream(url: string): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, headers: { accept: 'text/event-stream' } }, (response) => {
      if (response.statusCode !== 200)
        return reject(new Error(`the stream was answered ${response.statusCode}`));
      const stream: Stream = { response, rest: '' };
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => receive(stream, chunk));
      response.on('error', () => undefined);
      resolve(stream);
    });
    request.on('error', reject);
  });
}

function receive(stream: Stream, chunk: string): void {
  const now = Date.now();
  const text = stream.rest + chunk;
  const end = text.lastIndexOf('\n\n');
  stream.rest = text.slice(end + 1);
  if (end < 0) return;
  for (const [, type = '', runId = ''] of text.slice(0, end).matchAll(EVENT)) {
    const key = eventKey(type, runId);
    const times = arrivals.get(key);
    if (times) times.push(now);
    else arrivals.set(key, [now]);
  }
}

const EVENT = /"type":"(run:trigger|run:complete)".*?"runId":"([^"]+)"/g;

/** How many trigger and complete events have arrived, over all streams. */
export async function countArrivals(): Promise<number> {
  let count = 0;
  for (const times of arrivals.values()) count += times.length;
  return count;
}

/** The delays of the events, and whether each event arrived once at each stream. */
export async function readArrivals(emitted: EventTimes) {
  const late: number[] = [];
  let isComplete = true;
  for (const [key, time] of Object.entries(emitted)) {
    const times = arrivals.get(key) ?? [];
    if (times.length !== streams.length) isComplete = false;
    for (const arrived of times) late.push(arrived - time);
  }
  late.sort((a, b) => a - b);
  return { isComplete, p95Ms: late[Math.floor(late.length * 0.95)] ?? Number.NaN };
}

export async function closeStreams(): Promise<void> {
  for (const { response } of streams) response.destroy();
  streams = [];
}
