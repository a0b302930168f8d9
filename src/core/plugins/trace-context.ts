import { decodeJson } from '../json/json.ts';

/** The trace of a W3C `traceparent` (https://www.w3.org/TR/trace-context/#traceparent-header). */
const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}/;

/** The trace of which a run is a part: what a plugin has kept with it as `traceparent`. */
export function traceIdOf(pluginData: string | null | undefined): string | undefined {
  if (pluginData == null) return undefined;
  for (const data of Object.values(decodeJson(pluginData) as Record<string, unknown>)) {
    const given: unknown =
      typeof data === 'object' && data !== null ? Reflect.get(data, 'traceparent') : undefined;
    const traceId = typeof given === 'string' ? TRACEPARENT.exec(given)?.[1] : undefined;
    if (traceId !== undefined) return traceId;
  }
  return undefined;
}
