/** What the service uses of this room, loaded only when it is used. */
export { flushSpans, hasTracer } from './provider.ts';
export { traceRequests } from './trace-requests.ts';
export { tracing } from './tracing.ts';
