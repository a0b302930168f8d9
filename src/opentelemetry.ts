/** The door `durably/opentelemetry`: traces, by the OpenTelemetry SDK that you bring. */
export { traceRequests } from './plugins/tracing/trace-requests.ts';
export { type TracingOptions, tracing } from './plugins/tracing/tracing.ts';
