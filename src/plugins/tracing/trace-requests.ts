import { context, propagation, trace } from '@opentelemetry/api';

/**
 * Runs in the place of the trace that a request's headers name (`traceparent` and `tracestate`, unless the SDK was given other
 * propagators), so that the runs it triggers belong to that trace. An invalid header is ignored, as W3C Trace Context says. If a
 * span is active already, it stays: an instrumentation of the server has read the headers.
 *
 * @example
 * import { traceRequests } from 'durably/opentelemetry';
 * import { createDurablyHandler } from 'durably/server';
 *
 * const { trigger } = createDurablyHandler(durably);
 * export const POST = traceRequests(trigger);
 */
export function traceRequests<TRest extends unknown[], T>(
  answer: (request: Request, ...rest: TRest) => T,
): (request: Request, ...rest: TRest) => T {
  return (request, ...rest) => {
    const active = context.active();
    if (trace.getSpan(active) !== undefined) return answer(request, ...rest);
    const extracted = propagation.extract(active, request.headers, HEADERS);
    return extracted === active
      ? answer(request, ...rest)
      : context.with(extracted, () => answer(request, ...rest));
  };
}

const HEADERS = {
  get: (headers: Headers, name: string) => headers.get(name) ?? undefined,
  keys: (headers: Headers) => [...headers.keys()],
};
