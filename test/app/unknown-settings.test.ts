import { expect, it } from 'vitest';
import { describeUnknownNodeSettings } from '../../src/app/config.ts';

it.each([
  ['DURABLY_API_KEY', 'DURABLY_API_KEYS'],
  ['DURABLY_KEYS', 'DURABLY_API_KEYS'],
  ['DURABLY_CONCURENCY', 'DURABLY_CONCURRENCY'],
  ['durably_api_keys', 'DURABLY_API_KEYS'],
  ['DURABLY_WEBHOOK', 'DURABLY_WEBHOOKS'],
  ['DURABLY_WEBHOOKS_ALLOW', 'DURABLY_WEBHOOK_ALLOW'],
  ['DURABLY_PORT', 'PORT'],
  ['DURABLY_DATABASE_URL', 'TURSO_DATABASE_URL'],
  ['TURSO_DATABASE_URI', 'TURSO_DATABASE_URL'],
  ['TURSO_URL', 'TURSO_DATABASE_URL'],
  ['TURSO_TOKEN', 'TURSO_AUTH_TOKEN'],
  ['DURABLEY_API_KEYS', 'DURABLY_API_KEYS'],
])('names %s with the nearest setting %s, without the value', (name, nearest) => {
  const line = describeUnknownNodeSettings({ [name]: 'sekret' });
  expect(line).toContain(`${name} is unknown (did you mean ${nearest}?)`);
  expect(line).not.toContain('sekret');
});

it('names all unknown settings in one line', () => {
  const line = describeUnknownNodeSettings({ 'DURABLY_A\nB': '1', DURABLY_WORK_MS: '5' });
  expect(line).toContain('DURABLY_WORK_MS is for Cloudflare Workers only');
  expect(line).not.toContain('\n');
});

it("ignores settings that are known, empty, or another program's", () => {
  const env = { PORT: '1', DURABLY_API_KEYS: 'x', DURABLY_FOO: '', PATH: '/bin', HOSTNAME: 'x', PORTS: '1' };
  expect(describeUnknownNodeSettings({ ...env, TURSO_API_TOKEN: 'x', npm_config_port: '1' })).toBeUndefined();
});
