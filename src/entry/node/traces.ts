import type { Config } from '../../app/config.ts';
import type { DurablyOptions } from '../../durably-options.ts';
import { log } from './log.ts';
import { StartError } from './start-failure.ts';

type Fetch = (request: Request) => Response | Promise<Response>;

/** What the service does for traces. */
export interface Traces {
  readonly use: NonNullable<DurablyOptions['use']>;
  /** Answers requests in the place that their headers name. */
  readonly around: (fetch: Fetch) => Fetch;
  /** Sends the spans that have ended. */
  readonly flush: () => Promise<void>;
}

const NO_TRACES: Traces = { use: [], around: (fetch) => fetch, flush: async () => undefined };

/**
 * The package of OpenTelemetry's API comes with the SDK that the operator installs. It is loaded only if it is asked for.
 *
 * @throws {StartError} if it is not installed.
 */
export async function loadTraces(
  config: Pick<Config, 'DURABLY_TRACING' | 'DURABLY_ERROR_DETAIL'>,
): Promise<Traces> {
  if (config.DURABLY_TRACING === 'off') return NO_TRACES;
  const { flushSpans, hasTracer, traceRequests, tracing } = await import(
    '../../plugins/tracing/index.ts'
  ).catch((error: unknown) => {
    const advice = 'DURABLY_TRACING=on needs OpenTelemetry: npm install @opentelemetry/api and an SDK';
    throw new StartError(advice, { cause: error });
  });
  if (!hasTracer()) {
    log.warn('DURABLY_TRACING=on: no OpenTelemetry SDK is registered; load one with node --import');
    return NO_TRACES;
  }
  return {
    use: [tracing({ errorDetail: config.DURABLY_ERROR_DETAIL })],
    around: (fetch) => traceRequests(fetch),
    flush: flushSpans,
  };
}
