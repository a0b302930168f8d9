import { Pool } from 'undici';
import type { Traffic, TrafficFigures } from '../protocol.ts';

/** Keeps every connection busy by sending one request after another. @throws unless every status is 200. */
export async function fire(traffic: Traffic): Promise<TrafficFigures> {
  const { connections, requests = Number.POSITIVE_INFINITY, durationMs = Number.POSITIVE_INFINITY } = traffic;
  const pool = new Pool(traffic.url, { connections, pipelining: 1 });
  const latencies: number[] = [];
  let sent = 0;
  const start = performance.now();
  const caller = async () => {
    while (sent < requests && performance.now() - start < durationMs) {
      sent++;
      const sentAt = performance.now();
      const { statusCode, body } = await pool.request({
        path: traffic.path,
        method: traffic.method,
        headers: { 'content-type': 'application/json' },
        body: traffic.body ?? null,
      });
      const text = await body.text();
      if (statusCode !== 200) throw new Error(`answered ${statusCode}: ${text.slice(0, 200)}`);
      latencies.push(performance.now() - sentAt);
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, caller));
  } finally {
    await pool.destroy();
  }
  const seconds = (performance.now() - start) / 1000;
  latencies.sort((a, b) => a - b);
  return {
    answered: latencies.length,
    perSecond: latencies.length / seconds,
    p50Ms: latencies[Math.floor(latencies.length / 2)] ?? Number.NaN,
  };
}
