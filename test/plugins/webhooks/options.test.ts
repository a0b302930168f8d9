import { describe, expect, test } from 'vitest';
import { nextTryInMs, parseRetries } from '../../../src/core/retries/retry.ts';
import { DELIVERY_RETRIES, NotDeliveredError, retryAfterMs } from '../../../src/plugins/webhooks/retries.ts';
import { createWebhooks } from '../../../src/webhooks.ts';
import { OTHER_SECRET, SECRET } from '../../support/net/receiver.ts';

const url = 'https://example.com/hooks';
const good = { url, secret: SECRET };
const raw = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`;

describe('createWebhooks', () => {
  test.each([
    [{ endpoint: [] }, 'Unknown createWebhooks option "endpoint"; did you mean "endpoints"?'],
    [{ endpoints: good }, 'endpoints must be a list'],
    [{ endpoints: [null] }, 'endpoints[0] must be an object'],
    [
      { endpoints: [{ ...good, event: [] }] },
      'Unknown member of endpoints[0] "event"; did you mean "events"?',
    ],
    [{ endpoints: [good, { secret: SECRET }] }, 'endpoints[1].url must be a URL'],
    [{ endpoints: [{ ...good, url: 'http://10.1.2.3/' }] }, 'endpoints[0].url must have a public address'],
    [{ endpoints: [{ url }] }, 'endpoints[0].secret must be whsec_'],
    [{ endpoints: [{ url, secret: 'secret-word' }] }, 'endpoints[0].secret must be whsec_'],
    [{ endpoints: [{ url, secret: 'whsec_secret-word' }] }, 'endpoints[0].secret must be whsec_'],
    [{ endpoints: [{ url, secret: raw(23) }] }, 'endpoints[0].secret must be whsec_'],
    [{ endpoints: [{ url, secret: raw(65) }] }, 'endpoints[0].secret must be whsec_'],
    [{ endpoints: [{ url, secret: [] }] }, 'endpoints[0].secret must be whsec_'],
    [{ endpoints: [{ url, secret: [SECRET, OTHER_SECRET, raw(30)] }] }, 'endpoints[0].secret must be whsec_'],
    [{ endpoints: [{ ...good, events: [] }] }, 'endpoints[0].events must be a list of run.completed'],
    [{ endpoints: [{ ...good, events: 'run.completed' }] }, 'endpoints[0].events must be a list of'],
    [{ endpoints: [{ ...good, jobs: 'echo' }] }, 'endpoints[0].jobs must be a list of names'],
    [{ endpoints: [good, { ...good, jobs: ['a'] }] }, 'endpoints must not have the same url twice'],
    [
      { endpoints: Array.from({ length: 51 }, (_, i) => ({ ...good, url: `${url}/${i}` })) },
      'endpoints must be at most 50',
    ],
    [{ allow: ['http://x'] }, 'allow[0] must be a host such as hooks.internal'],
    [{ endpoints: [SECRET] }, 'endpoints[0] must be an object'],
    [{ ofRuns: SECRET }, 'ofRuns must be an object with a secret'],
    [{ ofRuns: {} }, 'ofRuns.secret must be whsec_'],
  ] as const)('refuses %j by name', (options, message) => {
    let text = '';
    try {
      createWebhooks(options as never);
    } catch (error) {
      text = (error as Error).message;
    }
    expect(text).toContain(message);
    for (const secret of ['secret-word', SECRET.slice(6), url]) expect(text).not.toContain(secret);
  });

  test('takes secrets of 24 to 64 bytes, and two of them', () => {
    for (const secret of [SECRET, raw(24), raw(64), [raw(25), raw(26)]]) {
      expect(createWebhooks({ endpoints: [{ url, secret }] }).endpoints).toHaveLength(1);
    }
  });

  test('gives a webhook an id that depends on its address alone, and does not show it', () => {
    const idOf = (options: object) =>
      createWebhooks({ endpoints: [{ ...good, ...options }] }).endpoints[0]?.id;
    expect(idOf({})).toBe(idOf({ secret: OTHER_SECRET, jobs: ['a'], events: ['run.failed'] }));
    expect(idOf({})).not.toBe(idOf({ url: `${url}/2` }));
    expect(idOf({})).toMatch(/^webhook_[0-9a-f]{24}$/);
  });
});

describe('the tries of a delivery', () => {
  const policy = parseRetries('retries', DELIVERY_RETRIES);
  const pauses = (error: Error) =>
    Array.from({ length: 19 }, (_, index) => nextTryInMs(policy, { attempt: index + 1, error }) ?? -1);

  test('are twenty, in about three days', () => {
    const failure = new NotDeliveredError('no');
    expect(nextTryInMs(policy, { attempt: 20, error: failure })).toBeUndefined();
    for (const [index, ms] of pauses(failure).entries()) {
      const fullMs = Math.min(10_000 * 2 ** index, 12 * 3_600_000);
      expect(ms).toBeGreaterThanOrEqual(fullMs / 2);
      expect(ms).toBeLessThanOrEqual(fullMs);
    }
    const days = pauses(failure).reduce((sum, ms) => sum + ms, 0) / 86_400_000;
    expect(days).toBeGreaterThan(1.9);
    expect(days).toBeLessThan(4);
  });

  test('wait as long as the receiver asks, a day at most, and never shorter than they would', () => {
    const asking = (ms: number | undefined) => new NotDeliveredError('no', { retryAfterMs: ms });
    expect(pauses(asking(3_600_000))[0]).toBe(3_600_000);
    expect(pauses(asking(900_000_000))[0]).toBe(86_400_000);
    expect(pauses(asking(0))[18]).toBeGreaterThanOrEqual(6 * 3_600_000);
  });

  test.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Tue, 01 Jan 2030 00:01:00 GMT', 60_000],
    ['Tue, 01 Jan 2019 00:01:00 GMT', 0],
    ['soon', undefined],
    ['-5x', undefined],
    [undefined, undefined],
  ])('understand a Retry-After of %s', (header, ms) => {
    expect(retryAfterMs(header, Date.UTC(2030, 0, 1))).toBe(ms);
  });
});
