import * as z from 'zod';
import { ERROR_DETAIL_MODES } from '../core/errors/error-detail.ts';
import { errorMessage } from '../core/errors/error-text.ts';
import { withoutCredentials } from '../core/errors/secrets.ts';
import { LEAST_LEVELS } from '../core/logger.ts';
import { readRetention } from '../core/managing/retention.ts';
import { readEncryptionKeys } from '../core/plugins/encryption-keys.ts';
import { DEFAULT_MAX_BODY_BYTES } from '../http/pipeline.ts';
import { isPlainPath, takenPath } from '../http/routing.ts';
import { apiKeysText } from './api-keys.ts';
import { DEFAULT_BASE_PATH } from './create-app.ts';
import { isOrigin } from './origins.ts';
import { describeUnknownSettings } from './unknown-settings.ts';

/** A message shows at most this many characters of a bad value. */
const MAX_SHOWN = 200;

/** The longest delay of a timer. */
const MAX_MS = 2 ** 31 - 1;

export const wholeNumber = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,16}$/, error)
    .transform(Number)
    .pipe(z.int(error).min(min, error).max(max, error));
};

export const ms = () => wholeNumber(1, MAX_MS);

const isDatabaseUrl = (url: string) =>
  url === ':memory:' || /^file:./.test(url) || (/^(libsql|https?|wss?):\/\//.test(url) && URL.canParse(url));

const hasCredentials = (url: string) => /^(libsql|https?|wss?):\/\/.*@/s.test(url);

const originList = () =>
  z
    .string()
    .transform((list) => list.split(',').map((origin) => origin.trim()))
    .refine(
      (origins) => origins.every(isOrigin),
      'must be origins such as https://example.com, split by commas',
    )
    .default([]);

const commaList = () =>
  z
    .string()
    .transform((list) => list.split(',').map((one) => one.trim()))
    .default([]);

function parseList(text: string): readonly unknown[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

const isLoopback = (host: string) => /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host);

/** Every variable that the service reads, with its format and its default. */
const settings = z.object({
  PORT: wholeNumber(0, 65_535).default(3000),
  HOST: z
    .string()
    .regex(/^[\w.:-]+$/, 'must be a host name or an IP address')
    .default('127.0.0.1'),
  TURSO_DATABASE_URL: z
    .string()
    .refine(
      (url) => hasCredentials(url) || isDatabaseUrl(url),
      'must be a file:, libsql:, http(s): or ws(s): URL',
    )
    .refine(
      (url) => !hasCredentials(url),
      'must hold no user name and no password: put a token into TURSO_AUTH_TOKEN',
    )
    .default('file:data/durably.db'),
  TURSO_AUTH_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
    .optional(),
  DURABLY_BASE_PATH: z
    .string()
    .refine(
      (path) => path.startsWith('/') && isPlainPath(path),
      `must be a path such as ${DEFAULT_BASE_PATH}`,
    )
    .refine((path) => takenPath(path) === undefined, {
      error: ({ input }) =>
        `must not be ${takenPath(String(input))}, which is a path of the service, or below it`,
    })
    .default(DEFAULT_BASE_PATH),
  DURABLY_CONCURRENCY: wholeNumber(1, 10_000).default(10),
  DURABLY_POLLING_INTERVAL_MS: ms().default(1000),
  DURABLY_HEARTBEAT_INTERVAL_MS: ms().default(5000),
  DURABLY_STALE_THRESHOLD_MS: ms().default(30_000),
  DURABLY_MAX_BODY_BYTES: wholeNumber(1, 2 ** 30).default(DEFAULT_MAX_BODY_BYTES),
  /** The engine has its own default. */
  DURABLY_MAX_RESULT_BYTES: wholeNumber(1, 2 ** 29).optional(),
  DURABLY_SHUTDOWN_MS: ms().default(10_000),
  DURABLY_KEEP_ALIVE_MS: wholeNumber(1, 3_600_000).default(75_000),
  DURABLY_ERROR_DETAIL: z.enum(ERROR_DETAIL_MODES, 'must be full or message').default('full'),
  DURABLY_RETAIN_RUNS: z
    .string()
    .transform((text, context) => {
      try {
        return readRetention(text);
      } catch {
        const expected = 'must be a duration such as 30d, or completed=7d,failed=30d,cancelled=7d';
        context.addIssue({ code: 'custom', message: expected });
        return z.NEVER;
      }
    })
    .optional(),
  DURABLY_DATA_DIR: z.string().default('data'),
  DURABLY_FETCH_ORIGINS: originList(),
  DURABLY_API_KEYS: apiKeysText.optional(),
  DURABLY_ENCRYPTION_KEYS: z
    .string()
    .transform((text, context) => {
      try {
        return readEncryptionKeys(text);
      } catch (error) {
        const message = `must be id:key pairs, split by commas, the current one first; ${errorMessage(error)}`;
        context.addIssue({ code: 'custom', message });
        return z.NEVER;
      }
    })
    .optional(),
  /** Webhooks are checked by what makes them. */
  DURABLY_WEBHOOKS: z
    .string()
    .transform((text, context): readonly unknown[] => {
      const given = parseList(text);
      if (given !== undefined) return given;
      const expected = 'must be a JSON array of {"url", "secret", "events"?, "jobs"?}';
      context.addIssue({ code: 'custom', message: expected });
      return z.NEVER;
    })
    .default([]),
  DURABLY_WEBHOOK_ALLOW: commaList(),
  DURABLY_WEBHOOK_RUN_SECRET: commaList(),
  DURABLY_INSECURE: z
    .enum(['0', '1'], 'must be 0 or 1')
    .transform((flag) => flag === '1')
    .default(false),
  DURABLY_CORS_ORIGINS: originList(),
  DURABLY_DASHBOARD: z.enum(['on', 'off', 'read-only'], 'must be on, off or read-only').default('on'),
  DURABLY_RATE_LIMIT: wholeNumber(1, 1_000_000).optional(),
  DURABLY_METRICS: z.enum(['on', 'off'], 'must be on or off').default('on'),
  LOG_LEVEL: z.enum(LEAST_LEVELS, 'must be silent, error, warn or info').default('info'),
  DURABLY_TRACING: z.enum(['on', 'off'], 'must be on or off').default('off'),
});

const environment = settings
  .superRefine((env, context) => {
    if (isLoopback(env.HOST) || env.DURABLY_API_KEYS !== undefined || env.DURABLY_INSECURE) return;
    context.addIssue({
      code: 'custom',
      path: ['HOST'],
      message:
        'must be a loopback address unless DURABLY_API_KEYS is set (or DURABLY_INSECURE=1, which serves anyone)',
      input: env.HOST,
    });
  })
  .superRefine((env, context) => {
    if (env.DURABLY_HEARTBEAT_INTERVAL_MS < env.DURABLY_STALE_THRESHOLD_MS) return;
    context.addIssue({
      code: 'custom',
      path: ['DURABLY_HEARTBEAT_INTERVAL_MS'],
      message: `must be less than DURABLY_STALE_THRESHOLD_MS (${env.DURABLY_STALE_THRESHOLD_MS})`,
      input: env.DURABLY_HEARTBEAT_INTERVAL_MS,
    });
  });

/** The names of the variables that {@link readConfig} reads. */
export const settingNames: readonly string[] = Object.keys(settings.shape);

/** The variables that only the service on Workers reads. */
export const EDGE_ONLY = ['DURABLY_WORK_MS', 'DURABLY_CRON_MS', 'DURABLY_SUBREQUESTS'];

/** One line that lists the variables that look like settings of the service on Node but are not. */
export function describeUnknownNodeSettings(env: Readonly<Record<string, unknown>>): string | undefined {
  return describeUnknownSettings(env, {
    known: settingNames,
    elsewhere: { names: EDGE_ONLY, place: 'Cloudflare Workers' },
  });
}

export type Config = z.output<typeof environment>;

/** A variable of the environment is invalid. The message is one line that names it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the settings of the service. An empty variable counts as unset.
 *
 * @throws {ConfigError}
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  return readWith(environment, env);
}

/** Does the same as {@link readConfig}, for another set of settings. */
export function readWith<T extends z.ZodType>(
  schema: T,
  env: Readonly<Record<string, string | undefined>>,
): z.output<T> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given, { reportInput: true });
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(({ path, message, input }) => {
    const name = String(path[0]);
    return `${name} ${message}, got ${shown(name, given[name] ?? input)}`;
  });
  throw new ConfigError([...new Set(lines)].join('; '));
}

const SECRETS = [
  'TURSO_AUTH_TOKEN',
  'DURABLY_API_KEYS',
  'DURABLY_ENCRYPTION_KEYS',
  'DURABLY_WEBHOOKS',
  'DURABLY_WEBHOOK_RUN_SECRET',
];

/** Makes a bad value safe to show: hides keys and tokens, also those inside URLs. */
function shown(name: string, value: unknown): string {
  if (SECRETS.includes(name)) return 'something else';
  const text = withoutCredentials(String(value));
  return JSON.stringify(text.slice(0, MAX_SHOWN));
}
