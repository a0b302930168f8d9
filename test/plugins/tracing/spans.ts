import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { trace } from '@opentelemetry/api';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { expect, onTestFinished } from 'vitest';
import { until } from '../../support/until.ts';

const exporter = new InMemorySpanExporter();

/** Registers an SDK that keeps the spans, with the instrumentation of `fetch`. */
export function registerSdk(): NodeTracerProvider {
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  provider.register();
  const fetches = new UndiciInstrumentation({ requireParentforSpans: true });
  fetches.setTracerProvider(provider);
  return provider;
}

export function forgetSpans(): void {
  exporter.reset();
}

export function endedSpans(): readonly ReadableSpan[] {
  return exporter.getFinishedSpans();
}

export function spansNamed(name: string): readonly ReadableSpan[] {
  return endedSpans().filter((span) => span.name === name);
}

/** The only span with this name. */
export function spanNamed(name: string): ReadableSpan {
  const [span, ...others] = spansNamed(name);
  expect(others, name).toEqual([]);
  return span ?? expect.fail(`there is no span "${name}"`);
}

/** What matters of a span's place: its trace and the name of its parent. */
export function parentNameOf({ parentSpanContext }: ReadableSpan): string | undefined {
  return endedSpans().find((span) => span.spanContext().spanId === parentSpanContext?.spanId)?.name;
}

export function traceIdsOf(spans: readonly ReadableSpan[]): readonly string[] {
  return [...new Set(spans.map((span) => span.spanContext().traceId))];
}

/** A web server that keeps the `traceparent` of each request. */
export async function tracedServer() {
  const traceparents: unknown[] = [];
  const server = createServer((request, response) => {
    traceparents.push(request.headers.traceparent);
    response.end('ok');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, traceparents };
}

const tracer = trace.getTracer('test');

/** Calls code within a span of the test. */
export async function within<T>(name: string, code: () => Promise<T>): Promise<T> {
  return await tracer.startActiveSpan(name, async (span) => {
    try {
      return await code();
    } finally {
      span.end();
    }
  });
}

export const untilSpans = (name: string, count = 1) =>
  until(() => spansNamed(name).length >= count, `${count} spans "${name}"`);
