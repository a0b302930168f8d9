import { describe, expect, it } from 'vitest';
import { createAccess } from '../../src/app/access.ts';
import { readConfig } from '../../src/app/config.ts';
import { messageFor } from './config-message.ts';

const defaults = {
  PORT: 3000,
  HOST: '127.0.0.1',
  TURSO_DATABASE_URL: 'file:data/durably.db',
  DURABLY_BASE_PATH: '/api/durably',
  DURABLY_CONCURRENCY: 10,
  DURABLY_POLLING_INTERVAL_MS: 1000,
  DURABLY_HEARTBEAT_INTERVAL_MS: 5000,
  DURABLY_STALE_THRESHOLD_MS: 30_000,
  DURABLY_MAX_BODY_BYTES: 1_048_576,
  DURABLY_SHUTDOWN_MS: 10_000,
  DURABLY_ERROR_DETAIL: 'full',
  DURABLY_KEEP_ALIVE_MS: 75_000,
  DURABLY_DATA_DIR: 'data',
  DURABLY_WEBHOOKS: [],
  DURABLY_WEBHOOK_ALLOW: [],
  DURABLY_WEBHOOK_RUN_SECRET: [],
  DURABLY_FETCH_ORIGINS: [],
  DURABLY_INSECURE: false,
  DURABLY_CORS_ORIGINS: [],
  DURABLY_DASHBOARD: 'on',
  DURABLY_METRICS: 'on',
  LOG_LEVEL: 'info',
  DURABLY_TRACING: 'off',
};

describe('the configuration', () => {
  it('has a default for everything', () => {
    expect(readConfig({ PATH: '/bin' })).toEqual(defaults);
  });

  it('treats an empty variable as unset', () => {
    const empty = Object.fromEntries(
      [...Object.keys(defaults), 'TURSO_AUTH_TOKEN', 'DURABLY_API_KEYS', 'DURABLY_RATE_LIMIT'].map((name) => [
        name,
        '',
      ]),
    );
    expect(readConfig(empty)).toEqual(defaults);
  });

  it('uses the given values', () => {
    expect(
      readConfig({
        PORT: '0',
        HOST: '::1',
        TURSO_DATABASE_URL: 'libsql://jobs-acme.turso.io',
        TURSO_AUTH_TOKEN: 'ey.J0',
        DURABLY_BASE_PATH: '/',
        DURABLY_CONCURRENCY: '1',
        DURABLY_POLLING_INTERVAL_MS: '50',
        DURABLY_HEARTBEAT_INTERVAL_MS: '100',
        DURABLY_STALE_THRESHOLD_MS: '101',
        DURABLY_MAX_BODY_BYTES: '10',
        DURABLY_SHUTDOWN_MS: '1',
        DURABLY_ERROR_DETAIL: 'message',
        DURABLY_RETAIN_RUNS: 'completed=7d, failed=30d',
        DURABLY_KEEP_ALIVE_MS: '65000',
        DURABLY_DATA_DIR: '/var/data',
        DURABLY_WEBHOOKS: '[{"url": "https://a.example"}]',
        DURABLY_WEBHOOK_ALLOW: 'hooks.internal, localhost:4000',
        DURABLY_WEBHOOK_RUN_SECRET: 'whsec_a,whsec_b',
        DURABLY_FETCH_ORIGINS: 'https://a.example, http://b.example:81',
        DURABLY_API_KEYS: 'ci:0123456789abcdef, dash-board.1:k3y:with/colons+=~',
        DURABLY_INSECURE: '1',
        DURABLY_CORS_ORIGINS: 'https://dash.example',
        DURABLY_DASHBOARD: 'read-only',
        DURABLY_TRACING: 'on',
        DURABLY_RATE_LIMIT: '600',
        DURABLY_METRICS: 'off',
        LOG_LEVEL: 'warn',
      }),
    ).toEqual({
      PORT: 0,
      HOST: '::1',
      TURSO_DATABASE_URL: 'libsql://jobs-acme.turso.io',
      TURSO_AUTH_TOKEN: 'ey.J0',
      DURABLY_BASE_PATH: '/',
      DURABLY_CONCURRENCY: 1,
      DURABLY_POLLING_INTERVAL_MS: 50,
      DURABLY_HEARTBEAT_INTERVAL_MS: 100,
      DURABLY_STALE_THRESHOLD_MS: 101,
      DURABLY_MAX_BODY_BYTES: 10,
      DURABLY_SHUTDOWN_MS: 1,
      DURABLY_RETAIN_RUNS: { completed: '7d', failed: '30d' },
      DURABLY_ERROR_DETAIL: 'message',
      DURABLY_KEEP_ALIVE_MS: 65_000,
      DURABLY_DATA_DIR: '/var/data',
      DURABLY_WEBHOOKS: [{ url: 'https://a.example' }],
      DURABLY_WEBHOOK_ALLOW: ['hooks.internal', 'localhost:4000'],
      DURABLY_WEBHOOK_RUN_SECRET: ['whsec_a', 'whsec_b'],
      DURABLY_FETCH_ORIGINS: ['https://a.example', 'http://b.example:81'],
      DURABLY_API_KEYS: [
        { name: 'ci', key: '0123456789abcdef' },
        { name: 'dash-board.1', key: 'k3y:with/colons+=~' },
      ],
      DURABLY_INSECURE: true,
      DURABLY_CORS_ORIGINS: ['https://dash.example'],
      DURABLY_DASHBOARD: 'read-only',
      DURABLY_TRACING: 'on',
      DURABLY_RATE_LIMIT: 600,
      DURABLY_METRICS: 'off',
      LOG_LEVEL: 'warn',
    });
  });

  it.each([
    ['DURABLY_RETAIN_RUNS', 'running=7d', 'DURABLY_RETAIN_RUNS must be a duration such as 30d, or'],
    [
      'DURABLY_WEBHOOKS',
      '{"secret": 1}',
      'DURABLY_WEBHOOKS must be a JSON array of {"url", "secret", "events"?, "jobs"?}, got something else',
    ],
    ['DURABLY_WEBHOOKS', '[secret', 'DURABLY_WEBHOOKS must be a JSON array'],
    ['DURABLY_ERROR_DETAIL', 'none', 'DURABLY_ERROR_DETAIL must be full or message, got "none"'],
    ['PORT', '65536', 'PORT must be a whole number from 0 to 65535, got "65536"'],
    ['PORT', '-1', 'PORT must be a whole number from 0 to 65535, got "-1"'],
    ['PORT', '80a', 'PORT must be a whole number from 0 to 65535, got "80a"'],
    ['HOST', 'http://x', 'HOST must be a host name or an IP address, got "http://x"'],
    [
      'TURSO_DATABASE_URL',
      'durably.db',
      'TURSO_DATABASE_URL must be a file:, libsql:, http(s): or ws(s): URL, got "durably.db"',
    ],
    ['TURSO_DATABASE_URL', 'postgres://x', 'TURSO_DATABASE_URL must be'],
    ['TURSO_DATABASE_URL', 'file:', 'TURSO_DATABASE_URL must be'],
    ['DURABLY_BASE_PATH', 'api', 'DURABLY_BASE_PATH must be a path such as /api/durably, got "api"'],
    ...['/healthz', '/readyz/', '/metrics/x', '/openapi.json', '/dashboard'].map((path) => [
      'DURABLY_BASE_PATH',
      path,
      `DURABLY_BASE_PATH must not be ${path.replace(/^(\/[a-z.]+).*/, '$1')}, which is a path of the service, or below it, got "${path}"`,
    ]),
    ['DURABLY_BASE_PATH', '/api/*', 'DURABLY_BASE_PATH must be'],
    ['DURABLY_BASE_PATH', '/api/../x', 'DURABLY_BASE_PATH must be'],
    ['DURABLY_CONCURRENCY', '0', 'DURABLY_CONCURRENCY must be a whole number from 1 to 10000, got "0"'],
    ['DURABLY_CONCURRENCY', '1.5', 'DURABLY_CONCURRENCY must be'],
    ['DURABLY_POLLING_INTERVAL_MS', 'soon', 'DURABLY_POLLING_INTERVAL_MS must be'],
    [
      'DURABLY_HEARTBEAT_INTERVAL_MS',
      '30000',
      'DURABLY_HEARTBEAT_INTERVAL_MS must be less than DURABLY_STALE_THRESHOLD_MS (30000), got "30000"',
    ],
    [
      'DURABLY_STALE_THRESHOLD_MS',
      '4000',
      'DURABLY_HEARTBEAT_INTERVAL_MS must be less than DURABLY_STALE_THRESHOLD_MS (4000), got "5000"',
    ],
    ['DURABLY_STALE_THRESHOLD_MS', '1e99', 'DURABLY_STALE_THRESHOLD_MS must be'],
    ['DURABLY_MAX_BODY_BYTES', '1MB', 'DURABLY_MAX_BODY_BYTES must be'],
    ['DURABLY_SHUTDOWN_MS', 'Infinity', 'DURABLY_SHUTDOWN_MS must be'],
    ['DURABLY_INSECURE', 'yes', 'DURABLY_INSECURE must be 0 or 1, got "yes"'],
    ['DURABLY_DASHBOARD', 'true', 'DURABLY_DASHBOARD must be on, off or read-only'],
    ['DURABLY_CORS_ORIGINS', '*', 'DURABLY_CORS_ORIGINS must be origins such as https://example.com'],
    ['DURABLY_TRACING', '1', 'DURABLY_TRACING must be on or off'],
    ['DURABLY_RATE_LIMIT', '0', 'DURABLY_RATE_LIMIT must be a whole number from 1 to 1000000, got "0"'],
    [
      'HOST',
      '0.0.0.0',
      'HOST must be a loopback address unless DURABLY_API_KEYS is set (or DURABLY_INSECURE=1',
    ],
    ['HOST', '::', 'HOST must be a loopback address'],
    ['HOST', '10.0.0.1', 'HOST must be a loopback address'],
    ['HOST', 'localhost.example', 'HOST must be a loopback address'],
    ['HOST', '127.0.0.1.example', 'HOST must be a loopback address'],
    ['DURABLY_FETCH_ORIGINS', 'example.com', 'DURABLY_FETCH_ORIGINS must be origins'],
  ])('names %s=%s in one line', (name, value, message) => {
    const shown = messageFor({ [name]: value });
    expect(shown).toContain(message);
    expect(shown).not.toContain('\n');
  });

  it('names every invalid value in that line', () => {
    const shown = messageFor({ PORT: 'x\ny', DURABLY_CONCURRENCY: 'z' });
    expect(shown).toMatch(/PORT .*; DURABLY_CONCURRENCY /);
    expect(shown).not.toContain('\n');
  });

  it.each(['localhost', '127.0.0.1', '127.1.2.3', '::1'])('needs no keys to listen on %s', (HOST) => {
    expect(readConfig({ HOST }).HOST).toBe(HOST);
  });

  it.each([{ DURABLY_API_KEYS: 'ci:0123456789abcdef' }, { DURABLY_INSECURE: '1' }])(
    'allows the service to listen anywhere with %j',
    (env) => {
      expect(readConfig({ HOST: '0.0.0.0', ...env }).HOST).toBe('0.0.0.0');
    },
  );

  it('restricts the hosts unless there are keys, and accepts all of them in insecure mode', async () => {
    const DURABLY_API_KEYS = 'ci:0123456789abcdef';
    const hostsFor = async (env: Record<string, string>) =>
      (await createAccess(readConfig(env))).allowedHosts;
    expect(await hostsFor({ HOST: '127.0.0.2' })).toEqual(['127.0.0.2']);
    expect(await hostsFor({ DURABLY_INSECURE: '1' })).toBe('any');
    expect(await hostsFor({ DURABLY_API_KEYS })).toBeUndefined();
    expect(await hostsFor({ DURABLY_API_KEYS, DURABLY_INSECURE: '1' })).toBeUndefined();
  });

  it('accepts an @ in the name of a file', () => {
    const settings = { TURSO_DATABASE_URL: 'file:data/@app/a@b.db' };
    expect(readConfig(settings)).toMatchObject(settings);
  });
});
