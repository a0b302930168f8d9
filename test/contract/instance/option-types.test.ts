import { describe, expect, test } from 'vitest';
import { createApiKeys, createDurablyApp } from '../../../src/hono.ts';
import { createDurably, type DurablyOptions } from '../../../src/index.ts';
import { createDurablyHandler } from '../../../src/server.ts';
import { fakeDurably } from '../../http/fake-durably.ts';
import { contract } from '../../support/contract.ts';

/** A call from JavaScript, without a compiler's checks. */
const unchecked = (options: unknown): never => options as never;

const refusal = (message: RegExp) => ({ code: 'VALIDATION', message: expect.stringMatching(message) });

const keys = [{ name: 'a', key: 'k'.repeat(16) }];

const handlerOptions: [string, unknown[]][] = [
  ['onRequest', [5, null, {}]],
  ['auth', [5, null, 'ada', {}, { authenticate: 'ada' }]],
  ['maxBodyBytes', ['5', null, 0, 1.5, Number.NaN]],
  ['onError', [5, null]],
  ['draining', [true, null, {}]],
  ['shutdown', [true, null]],
  ['queryParams', ['token', [5], null, {}]],
  ['keepAliveMs', ['5', 0, null]],
];

const appOptions: [string, unknown[]][] = [
  ...handlerOptions,
  ['basePath', [5, null, ['api']]],
  ['apiKeys', [keys, createApiKeys(keys), null, '', {}, 'name:key']],
  ['rateLimit', ['5', null, 0, -1, {}]],
  ['corsOrigins', ['https://x', null, ['https://x/'], [5]]],
  ['allowedHosts', ['a.com', null, ['https://example.com'], ['a.com:80'], ['[::1]:80'], [5], ['']]],
];

describe.each<[string, [string, unknown[]][], (options: never) => unknown]>([
  ['createDurablyHandler', handlerOptions, (options) => createDurablyHandler(fakeDurably(), options)],
  ['createDurablyApp', appOptions, (options) => createDurablyApp(fakeDurably(), options)],
])('%s', (_, options, create) => {
  test.each(options)('throws at once and says what %s must be', (name, values) => {
    for (const value of values) {
      const make = () => create(unchecked({ [name]: value }));
      expect(make).toThrow(expect.objectContaining(refusal(new RegExp(`^${name}\\b.* must be `))));
    }
  });

  test('never quotes a key', () => {
    try {
      create(unchecked({ apiKeys: keys, onError: 'k'.repeat(16) }));
      expect.unreachable();
    } catch (error) {
      expect(String(error)).not.toContain('kkkk');
    }
  });
});

test('creates an app from valid options', async () => {
  createDurablyApp(fakeDurably(), {
    apiKeys: await createApiKeys(keys),
    draining: new AbortController().signal,
    queryParams: ['token'],
    allowedHosts: ['example.com', '::1', '[::1]', '0.0.0.0'],
    corsOrigins: ['https://example.com'],
    rateLimit: 5,
    basePath: '/',
    onError: undefined,
  });
});

test.each([[undefined], [null], ['a:b'], [{}]])('createApiKeys wants a list, not %j', async (given) => {
  await expect(createApiKeys(unchecked(given))).rejects.toMatchObject(refusal(/no list was given/));
});

test('handle() requires a base path', async () => {
  const { handle } = createDurablyHandler(fakeDurably());
  const request = new Request('http://localhost/runs');
  await expect(handle(request, unchecked(undefined))).rejects.toMatchObject(refusal(/base path/));
  expect((await handle(request, '')).status).toBe(200);
});

test.each<[keyof DurablyOptions, unknown[]]>([
  ['reconnect', [5, null, 'yes']],
  ['logger', [5, null, {}, { info: () => {} }]],
  ['errorDetail', ['all', null, 5]],
  ['jobs', [5, null]],
])('createDurably throws at once and says what %s must be', (name, values) => {
  const dialect = { createDriver: () => undefined };
  for (const value of values) {
    const make = () => createDurably(unchecked({ dialect, [name]: value }));
    expect(make).toThrow(expect.objectContaining({ code: 'VALIDATION' }));
    expect(make).toThrow(name === 'jobs' ? /job/ : new RegExp(`^${name} must `));
  }
});

contract('options of the wrong type', (test) => {
  test('are refused before anything is done', async ({ world }) => {
    const { durably } = await world.start({ worker: 'on-demand' });
    for (const handler of [5, undefined, null, {}]) {
      expect(() => durably.on('run:complete', unchecked(handler))).toThrow(
        'The handler of run:complete must be a function',
      );
      expect(() => durably.onError(unchecked(handler))).toThrow('The handler of onError must be a function');
    }
    for (const timeoutMs of [-1, null, '5', Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(durably.stop(unchecked({ timeoutMs }))).rejects.toMatchObject(
        refusal(/^timeoutMs must be/),
      );
    }
    await expect(durably.stop(unchecked({ final: 'yes' }))).rejects.toMatchObject(refusal(/^final must be/));
    await expect(durably.stop(unchecked(null))).rejects.toMatchObject(refusal(/given as an object/));
  });
});
