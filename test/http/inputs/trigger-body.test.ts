import { describe, expect, it } from 'vitest';
import { MAX_JSON_DEPTH } from '../../../src/core/json/json.ts';
import { doors, postJson, readProblem, requestTo } from '../doors.ts';
import { fakeDurably } from '../fake-durably.ts';

const post = (body: BodyInit | null, headers: Record<string, string> = {}) =>
  requestTo('/trigger', { method: 'POST', body, headers, duplex: 'half' });

const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

function streamOf(...chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
  });
}

describe.each(doors)('the body of a trigger, through $door', ({ open }) => {
  const accepted = async (request: Request, options = {}) => {
    const durably = fakeDurably();
    const response = await open(durably, options)(request);
    expect(await response.json()).toEqual({ runId: 'run_1', disposition: 'created' });
    expect(response.status).toBe(200);
    expect(durably.calls).toHaveLength(1);
    return durably.calls[0]?.args[0];
  };

  const refused = async (request: Request, options = {}) => {
    const durably = fakeDurably();
    const problem = await readProblem(await open(durably, options)(request));
    expect(problem.contentType).toBe('application/problem+json');
    expect(problem.body.detail).toBe(problem.body.error);
    expect(durably.calls).toEqual([]);
    return problem;
  };

  it('is passed to the service whole', async () => {
    const body = {
      jobName: 'greet',
      input: { a: [1] },
      idempotencyKey: 'i',
      idempotencyTtl: '1h',
      concurrencyKey: 'c',
      coalesce: 'skip',
      debounce: { key: 'd', delay: 5, maxDelay: '1m' },
      labels: { l: '' },
      delay: '30s',
      runAt: '2100-01-01T00:00:00Z',
      priority: -3,
      ttl: '10m',
      timeout: 5_000,
      webhook: { url: 'https://example.com/', events: ['run.failed'] },
    };
    expect(await accepted(postJson('/trigger', body))).toEqual(body);
  });

  it('has the input {} if it is missing', async () => {
    expect(await accepted(postJson('/trigger', { jobName: 'greet' }))).toMatchObject({ input: {} });
    expect(await accepted(postJson('/trigger', { jobName: 'greet', input: null }))).toMatchObject({
      input: null,
    });
  });

  it('accepts null for no key', async () => {
    expect(await accepted(postJson('/trigger', { jobName: 'greet', idempotencyKey: null }))).toEqual({
      jobName: 'greet',
      input: {},
    });
  });

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/jsonp',
    'nonsense',
  ])('is parsed as JSON when declared as %s', async (type) => {
    await accepted(post('{"jobName":"greet"}', { 'content-type': type }));
  });

  it('is parsed as JSON without a Content-Type', async () => {
    await accepted(post(new TextEncoder().encode('{"jobName":"greet"}')));
  });

  it('may begin with a byte order mark and contain any letters', async () => {
    const body = '\ufeff {"jobName":"gr\u00fc\u00dfe \u{1f642}"} ';
    expect(await accepted(post(body))).toMatchObject({ jobName: 'grüße 🙂' });
  });

  it('may arrive in pieces that split a letter', async () => {
    const bytes = new TextEncoder().encode('{"jobName":"ü"}');
    expect(await accepted(post(streamOf(bytes.slice(0, 13), bytes.slice(13))))).toMatchObject({
      jobName: 'ü',
    });
  });

  it.each([
    ['', 'The body is empty; it must be JSON'],
    [' \n', 'The body is empty; it must be JSON'],
    ['{', 'The body is not valid JSON'],
    ['{"jobName":"greet"}}', 'The body is not valid JSON'],
    ["{'jobName':'greet'}", 'The body is not valid JSON'],
    ['jobName=greet', 'The body is not valid JSON'],
    ['[]', 'The body must be a JSON object'],
    ['null', 'The body must be a JSON object'],
    ['"greet"', 'The body must be a JSON object'],
    ['1', 'The body must be a JSON object'],
    ['{}', 'jobName is required'],
    ['{"jobName":""}', 'jobName is required'],
    ['{"jobName":null}', 'jobName is required'],
    ['{"jobName":42}', 'jobName must be a string'],
    ['{"jobName":["greet"]}', 'jobName must be a string'],
    ['{"jobName":"a\\u0000b"}', 'jobName must not hold a NUL or a lone surrogate, as "a\\u0000b" does'],
    ['{"jobName":"\\ud800"}', 'jobName must not hold a NUL or a lone surrogate, as "\\ud800" does'],
    ['{"jobName":"g","idempotencyKey":1}', 'idempotencyKey must be a string of 1 to 256 characters'],
    ['{"jobName":"g","idempotencyKey":""}', 'idempotencyKey must be a string of 1 to 256 characters'],
    ['{"jobName":"g","concurrencyKey":{}}', 'concurrencyKey must be a string of 1 to 256 characters'],
    [
      '{"jobName":"g","concurrencyKey":"\\udc00"}',
      'concurrencyKey must not hold a NUL or a lone surrogate, as "\\u',
    ],
    [
      '{"jobName":"g","concurrencyKey":"\\u0000"}',
      'concurrencyKey must not hold a NUL or a lone surrogate, as "\\u',
    ],
    ['{"jobName":"g","labels":[]}', 'labels must be an object of strings'],
    ['{"jobName":"g","labels":"a"}', 'labels must be an object of strings'],
    ['{"jobName":"g","labels":{"a":1}}', 'labels.a must be one string of at most 256 characters'],
    [
      '{"jobName":"g","labels":{"a":"\\ud800"}}',
      'labels.a must not hold a NUL or a lone surrogate, as "\\ud800" does',
    ],
    ['{"jobName":"g","priority":1001}', 'priority must be a whole number from -1000 to 1000, not 1001'],
    ['{"jobName":"g","priority":0.5}', 'priority must be a whole number from -1000 to 1000, not 0.5'],
    ['{"jobName":"g","priority":"1"}', 'priority must be a whole number from -1000 to 1000, not "1"'],
    ['{"jobName":"g","ttl":{}}', 'ttl must be a duration, such as 500 (ms) or "30s"'],
    ['{"jobName":"g","timeout":[1]}', 'timeout must be a duration, such as 500 (ms) or "30s"'],
    ['{"jobName":"g","labels":{"__proto__":"x"}}', 'labels.__proto__ must have a key of'],
    [
      '{"jobName":"g","labels":{"a b":"","c":null}}',
      /^labels.a b must have a key of .*; labels.c must be one/,
    ],
  ])('is refused when it is %j', async (text, message) => {
    for (const type of ['application/json', 'text/plain']) {
      const { status, body } = await refused(post(text, { 'content-type': type }));
      expect(status).toBe(400);
      expect(body.error).toMatch(message);
      expect(body.code).toBe('VALIDATION');
    }
  });

  it('is refused when it is missing', async () => {
    expect((await refused(requestTo('/trigger', { method: 'POST' }))).body.error).toMatch('body is empty');
  });

  it('accepts keys of up to 256 UTF-16 units', async () => {
    const keyed = (length: number) =>
      postJson('/trigger', { jobName: 'g', idempotencyKey: 'k'.repeat(length) });
    await accepted(keyed(256));
    expect((await refused(keyed(257))).body).toMatchObject({
      error: `idempotencyKey must be a string of 1 to 256 characters, not "${'k'.repeat(64)}…" (257 characters)`,
      issues: [{ path: ['idempotencyKey'] }],
    });
  });

  it('is refused when it is not UTF-8', async () => {
    const bytes = Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d);
    expect((await refused(post(bytes))).body.error).toBe('The body is not valid UTF-8');
  });

  it('is refused when it nests deeper than an input may', async () => {
    const body = (levels: number) => post(`{"jobName":"greet","input":${nested(levels)}}`);
    await accepted(body(MAX_JSON_DEPTH));
    expect((await refused(body(MAX_JSON_DEPTH + 1))).body.error).toMatch('deeper than 500 levels');
    expect((await refused(body(200_000))).status).toBe(400);
  });

  it('is refused with 413 when it is over the limit, declared or not', async () => {
    const bytes = new TextEncoder().encode(`{"jobName":"${'x'.repeat(100)}"}`);
    const options = { maxBodyBytes: bytes.length - 1 };
    const declared = { 'content-length': String(bytes.length) };
    for (const request of [
      post(bytes, declared),
      post(streamOf(bytes, bytes)),
      post(bytes, { 'content-length': '3' }),
      post(streamOf(bytes.slice(0, 50), bytes.slice(50)), { 'transfer-encoding': 'chunked' }),
    ]) {
      const { status, body } = await refused(request, options);
      expect(status).toBe(413);
      expect(body).toMatchObject({
        title: 'Content Too Large',
        code: 'BODY_TOO_LARGE',
        error: `The body is larger than ${options.maxBodyBytes} bytes`,
      });
    }
    await accepted(post(bytes, declared), { maxBodyBytes: bytes.length });
    await accepted(post(streamOf(bytes)), { maxBodyBytes: bytes.length });
  });

  it('is not read to its end when it is over the limit', async () => {
    let pulled = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(1024));
      },
      cancel() {
        cancelled = true;
      },
    });
    expect((await refused(post(endless), { maxBodyBytes: 4096 })).status).toBe(413);
    expect(pulled).toBeLessThan(10);
    expect(cancelled).toBe(true);
  });

  it('is not read at all when its declared length is over the limit', async () => {
    let pulled = 0;
    const long = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          pulled++;
          if (pulled > 10) controller.close();
          else controller.enqueue(new Uint8Array(1024));
        },
      },
      { highWaterMark: 0 },
    );
    const { status } = await refused(post(long, { 'content-length': '4097' }), { maxBodyBytes: 4096 });
    expect(status).toBe(413);
    expect(pulled).toBe(0);
  });

  it('is limited to 1 MiB by default', async () => {
    const shell = '{"jobName":"greet","input":""}';
    const body = (length: number) => post(shell.replace('""', `"${'x'.repeat(length - shell.length)}"`));
    await accepted(body(1024 * 1024));
    expect((await refused(body(1024 * 1024 + 1))).status).toBe(413);
  });

  it('is refused as invalid when the connection breaks off, not as a server error', async () => {
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new Error('socket closed'));
      },
    });
    expect((await refused(post(broken))).status).toBe(400);
  });
});
