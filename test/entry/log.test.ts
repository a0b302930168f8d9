import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createNodeLog, type LogOutput } from '../../src/entry/node/log.ts';

/** A log, and what it has written. */
function written({ level = 'info', isTTY = false } = {}) {
  const output = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr'): LogOutput => ({
    isTTY,
    write: (text) => {
      output[name] += text;
    },
  });
  const log = createNodeLog({ level: level as 'info', stdout: stream('stdout'), stderr: stream('stderr') });
  return { log, output, all: () => output.stdout + output.stderr };
}

const FORGED = 'no\n{"level":"info","msg":"forged"}\r\n12:00:00 INFO  forged\u2028\u0085\u202eforged';

describe('the log on Node', () => {
  test('writes one JSON line for each entry, info to stdout and the rest to stderr', () => {
    const { log, output } = written();
    log.info('listening on http://127.0.0.1:1');
    log.warn('run taken over from a lost worker', { runId: 'run_1', jobName: 'pay', attempt: 2 });
    log.failure('request failed', new TypeError('no such thing'), { requestId: 'r1' });
    const [info, ...none] = output.stdout.trimEnd().split('\n');
    expect(none).toEqual([]);
    expect(JSON.parse(info ?? '')).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      msg: 'listening on http://127.0.0.1:1',
    });
    const lines = output.stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([
      { level: 'warn', msg: 'run taken over from a lost worker', runId: 'run_1', jobName: 'pay', attempt: 2 },
      {
        ...{ level: 'error', msg: 'request failed', requestId: 'r1', error: 'no such thing' },
        err: { name: 'TypeError', message: 'no such thing', stack: expect.stringContaining(' at ') },
      },
    ]);
  });

  test('keeps the causes of an error, with their codes', () => {
    const { log, output } = written();
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    log.failure('request failed', new Error('no answer', { cause }));
    expect(JSON.parse(output.stderr).err).toMatchObject({
      ...{ name: 'Error', message: 'no answer' },
      cause: { message: 'refused', code: 'ECONNREFUSED' },
    });
  });

  test.each([
    ['silent', []],
    ['error', ['e']],
    ['warn', ['w', 'e']],
    ['info', ['i', 'w', 'e']],
  ])('at level %s writes %j', (level, expected) => {
    const { log, output } = written({ level });
    log.info('i');
    log.warn('w');
    log.error('e');
    const messages = (output.stdout + output.stderr).split('\n').filter((line) => line !== '');
    expect(messages.map((line) => JSON.parse(line).msg)).toEqual(expected);
  });

  test('lets nobody forge a line', () => {
    const { log, all } = written();
    log.failure('request failed', new Error(FORGED), { requestId: FORGED, jobName: FORGED });
    const [line = '', end] = all().split('\n');
    expect(end).toBe('');
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(JSON.parse(line)).toMatchObject({ msg: 'request failed', requestId: FORGED });
  });

  test('shows entries on a terminal as readable lines, which nobody can forge either', () => {
    const { log, all } = written({ isTTY: true });
    log.warn('run failed', { runId: 'run_1', jobName: FORGED });
    log.failure('request failed', new Error(FORGED));
    const lines = stripVTControlCharacters(all()).trimEnd().split('\n');
    const heads = lines.filter((line) => !line.startsWith('    '));
    expect(heads).toEqual([
      expect.stringMatching(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}run failed runId="run_1" jobName="no\\n/),
      expect.stringMatching(/^\d\d:\d\d:\d\d\.\d{3} ERROR request failed error="no\\n/),
    ]);
    expect(lines.some((line) => line.includes(' at '))).toBe(true);
    expect(lines.join('')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  });

  const SECRETS = [
    ['an API key', 'Authorization: Bearer k-0123456789abcdef', 'k-0123456789abcdef'],
    ['a header without a scheme', 'authorization: k-0123456789abcdef', 'k-0123456789abcdef'],
    ['a header in JSON', '{"authorization":"Token k-0123 456789abcdef"}', '456789abcdef'],
    ['basic credentials', 'proxy-authorization: Basic bWU6c2VzYW1l', 'bWU6c2VzYW1l'],
    ['a key in a header of its own', "'x-api-key': 'k-0123456789abcdef'", 'k-0123456789abcdef'],
    ['a cookie', 'set-cookie: session=abc123def; Path=/', 'abc123def'],
    ['a later cookie', 'Cookie: theme=dark; sid=abc123def', 'abc123def'],
    ['a header of another scheme', 'Authorization: ApiKey abc123def', 'abc123def'],
    ['a token of a database', 'token eyJhbGciOiJ0ZXN0In0.e30.abcdefghijk', 'abcdefghijk'],
    ['a password in a URL', 'connect to libsql://me:hunter2@db.example.com', 'hunter2'],
    ['a ticket in a query', 'GET /subscribe?runId=run_1&token=t-0123456789', 't-0123456789'],
    ['a member that is a secret', '{"dbPassword": "hun\\"ter2", "a": 1}', 'ter2'],
    ['a webhook secret', 'the secret is whsec_0123456789+/abcdef', '0123456789+/abcdef'],
    ['a signature', 'got v1,0123456789abcdef0123456789+/abc=', '0123456789abc'],
    ['a signature in a header', 'webhook-signature: v1,abc= v1,def=', 'abc='],
  ] as const;

  test.each(SECRETS)('leaves out %s', (_, text, secret) => {
    for (const isTTY of [false, true]) {
      const { log, all } = written({ isTTY });
      const cause = Object.assign(new Error(text), { code: 'E_X' });
      log.failure('request failed', new Error(text, { cause }));
      log.failure('request failed', new AggregateError([cause], 'several'));
      log.failure('request failed', text);
      expect(all()).toContain('request failed');
      expect(all()).not.toContain(secret);
    }
  });
});
