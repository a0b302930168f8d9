import { ProxyTracerProvider, type TracerProvider, trace } from '@opentelemetry/api';

/** What the API has while no SDK is registered. */
const NONE = new ProxyTracerProvider().getDelegate();

function registered(): TracerProvider {
  const provider = trace.getTracerProvider();
  return provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider;
}

/** Whether an SDK is registered that makes spans. */
export function hasTracer(): boolean {
  return registered() !== NONE;
}

/** Sends the spans that have ended and were not sent yet, if the SDK can do that. */
export async function flushSpans(): Promise<void> {
  const provider: TracerProvider & { forceFlush?: () => Promise<void> } = registered();
  await provider.forceFlush?.();
}
