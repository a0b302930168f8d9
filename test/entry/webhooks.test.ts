import { expect, test } from 'vitest';
import { readConfig } from '../../src/app/config.ts';
import { describeUnknownBindings } from '../../src/entry/edge/config.ts';
import { examineSettings } from '../../src/entry/node/examine-settings.ts';
import { readWebhooks } from '../../src/entry/node/webhooks.ts';
import { OTHER_SECRET, SECRET } from '../support/net/receiver.ts';

const url = 'https://example.com/token';
const webhooksOf = (env: Record<string, string>) => readWebhooks(readConfig(env));
const list = (...endpoints: object[]) => ({ DURABLY_WEBHOOKS: JSON.stringify(endpoints) });

test('the settings of webhooks are read from the environment', () => {
  expect(webhooksOf({})).toMatchObject({ endpoints: [], ofRuns: false });
  const internal = 'http://hooks.localhost:4000/';
  const webhooks = webhooksOf({
    ...list({ url, secret: SECRET }, { url: internal, secret: [SECRET, OTHER_SECRET], jobs: ['a'] }),
    DURABLY_WEBHOOK_ALLOW: 'hooks.localhost:4000',
    DURABLY_WEBHOOK_RUN_SECRET: `${SECRET}, ${OTHER_SECRET}`,
  });
  expect(webhooks).toMatchObject({
    endpoints: [
      { host: 'example.com', jobs: null },
      { host: 'hooks.localhost:4000', jobs: ['a'] },
    ],
    ofRuns: true,
  });
});

test.each([
  [list({ url }), /^DURABLY_WEBHOOKS\[0\]\.secret must be whsec_/],
  [
    list({ url, secret: SECRET }, { url: 'http://10.0.0.1/token', secret: SECRET }),
    /^DURABLY_WEBHOOKS\[1\]\.url must have a public/,
  ],
  [list({ url, secret: SECRET, event: [] }), /^DURABLY_WEBHOOKS: Unknown member of endpoints\[0\] "event"/],
  [{ DURABLY_WEBHOOKS: '["token"]' }, /^DURABLY_WEBHOOKS\[0\] must be an object/],
  [
    list({ url, secret: SECRET }, { url, secret: SECRET }),
    /^DURABLY_WEBHOOKS must not have the same url twice/,
  ],
  [{ DURABLY_WEBHOOK_ALLOW: 'http://token' }, /^DURABLY_WEBHOOK_ALLOW\[0\] must be a host/],
  [{ DURABLY_WEBHOOK_RUN_SECRET: 'whsec_token' }, /^DURABLY_WEBHOOK_RUN_SECRET must be whsec_/],
])('a bad one is refused by its name, without its value: %j', async (env, message) => {
  expect(() => webhooksOf(env)).toThrow(message);
  const found = JSON.stringify(await examineSettings({ ...env, PORT: '0' }));
  expect(found).toMatch(/DURABLY_WEBHOOK/);
  for (const secret of ['token', SECRET.slice(6)]) expect(found).not.toContain(secret);
});

test('Workers say that they leave webhooks to Node', () => {
  expect(describeUnknownBindings({ DURABLY_WEBHOOKS: '[]' })).toBe(
    'ignored: DURABLY_WEBHOOKS is for Node only',
  );
});
