import { createTraceState, isSpanContextValid, type SpanContext } from '@opentelemetry/api';

/** The place of a run in a trace, as it is stored with the run: the two headers of W3C Trace Context. */
export interface StoredTrace {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** version 00, trace id, span id, flags: https://www.w3.org/TR/trace-context/#traceparent-header */
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
/** What a tracestate may take: the specification asks to pass on at least this much. */
const MAX_TRACESTATE_CHARS = 512;

/** Undefined if there is no such span. */
export function toStoredTrace(span: SpanContext): StoredTrace | undefined {
  if (!isSpanContextValid(span)) return undefined;
  const flags = span.traceFlags.toString(16).padStart(2, '0');
  const traceparent = `00-${span.traceId}-${span.spanId}-${flags}`;
  const tracestate = span.traceState?.serialize() ?? '';
  if (tracestate === '' || tracestate.length > MAX_TRACESTATE_CHARS) return { traceparent };
  return { traceparent, tracestate };
}

/** The span that is stored. Undefined if nothing is, or nothing that is valid. */
export function fromStoredTrace(stored: Partial<StoredTrace> | undefined): SpanContext | undefined {
  const [, traceId = '', spanId = '', flags = ''] = TRACEPARENT.exec(stored?.traceparent ?? '') ?? [];
  const span: SpanContext = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  if (!isSpanContextValid(span)) return undefined;
  return stored?.tracestate === undefined
    ? span
    : { ...span, traceState: createTraceState(stored.tracestate) };
}
