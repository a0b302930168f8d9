import * as z from 'zod';
import {
  type Config,
  EDGE_ONLY,
  ms,
  readConfig,
  readWith,
  settingNames,
  wholeNumber,
} from '../../app/config.ts';
import { describeUnknownSettings } from '../../app/unknown-settings.ts';

/** Variables that only the service on Node reads. */
const NODE_ONLY = [
  ...[
    'PORT',
    'HOST',
    'DURABLY_SHUTDOWN_MS',
    'DURABLY_KEEP_ALIVE_MS',
    'DURABLY_DATA_DIR',
    'DURABLY_METRICS',
    'DURABLY_TRACING',
  ],
  // They need to resolve host names.
  ...['DURABLY_WEBHOOKS', 'DURABLY_WEBHOOK_ALLOW', 'DURABLY_WEBHOOK_RUN_SECRET'],
];

/** Requests reserved for each running run when the work ends: one for its step's result, one for the hand-back. */
const LAST_REQUESTS_PER_RUN = 2;
/** Reserved for heartbeats, late log lines and repeated requests. */
const SPARE_REQUESTS = 4;
/** A stream ends while this many requests are left, for reads that are under way and their repetitions. */
const STREAM_RESERVE = 10;
/**
 * The least that an invocation needs: two requests to check the migrations, then three to open a stream, or a
 * claim and a step.
 */
const LEAST_REQUESTS = 6;

const edgeEnvironment = z
  .object({
    TURSO_DATABASE_URL: z
      .string({ error: 'must be set' })
      .refine(
        (url) => /^(libsql|https?):\/\//.test(url) && URL.canParse(url),
        'must be a libsql: or http(s): URL',
      ),
    DURABLY_CONCURRENCY: wholeNumber(1, 1000).default(4),
    DURABLY_WORK_MS: ms().default(20_000),
    DURABLY_CRON_MS: ms().default(45_000),
    DURABLY_SUBREQUESTS: wholeNumber(1, 100_000).default(50),
  })
  .superRefine((env, context) => {
    const reserve = Math.max(workReserve(env.DURABLY_CONCURRENCY), STREAM_RESERVE);
    const least = reserve + LEAST_REQUESTS;
    if (env.DURABLY_SUBREQUESTS >= least) return;
    context.addIssue({
      code: 'custom',
      path: ['DURABLY_SUBREQUESTS'],
      message: `must be at least ${least} for a DURABLY_CONCURRENCY of ${env.DURABLY_CONCURRENCY}`,
      input: env.DURABLY_SUBREQUESTS,
    });
  });

export type EdgeConfig = Config & z.output<typeof edgeEnvironment>;

/**
 * Reads the settings of the service on an edge runtime. Ignores bindings that are not strings. An empty one
 * counts as unset.
 *
 * @throws {ConfigError} with one line that names what is wrong.
 */
export function readEdgeConfig(bindings: Readonly<Record<string, unknown>>): EdgeConfig {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(bindings)) {
    if (typeof value === 'string' && !NODE_ONLY.includes(name)) env[name] = value;
  }
  return { ...readConfig(env), ...readWith(edgeEnvironment, env) };
}

/** One line that lists the bindings that look like settings of the service on Workers but are not. */
export function describeUnknownBindings(bindings: Readonly<Record<string, unknown>>): string | undefined {
  return describeUnknownSettings(bindings, {
    known: [...settingNames.filter((name) => !NODE_ONLY.includes(name)), ...EDGE_ONLY],
    elsewhere: { names: NODE_ONLY, place: 'Node' },
  });
}

/** The number of requests after which work ends, and the number after which event streams end. */
export function requestLimits({ DURABLY_SUBREQUESTS, DURABLY_CONCURRENCY }: EdgeConfig) {
  return {
    work: DURABLY_SUBREQUESTS - workReserve(DURABLY_CONCURRENCY),
    streams: DURABLY_SUBREQUESTS - STREAM_RESERVE,
  };
}

function workReserve(concurrency: number): number {
  return LAST_REQUESTS_PER_RUN * concurrency + SPARE_REQUESTS;
}
