import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

interface SentSpan {
  readonly name: string;
  readonly traceId: string;
}

/** A body of OTLP over HTTP, as JSON. */
interface SentSpans {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[];
  }[];
}

/** An OpenTelemetry collector that keeps the spans that it is sent. */
export async function startCollector() {
  const received: SentSpan[] = [];
  const server = createServer(async (request, response) => {
    const { resourceSpans }: SentSpans = JSON.parse(await text(request));
    for (const { scopeSpans } of resourceSpans) {
      for (const { spans } of scopeSpans) received.push(...spans);
    }
    response.setHeader('content-type', 'application/json').end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, spans: (): readonly SentSpan[] => received };
}
