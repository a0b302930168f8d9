import fc from 'fast-check';

/** Texts that are known to have broken other software. */
const nasty = fc.constantFrom(
  '\ud800',
  '\udfff',
  '\ude00\ud83d',
  '\0',
  '"',
  "'",
  '\\',
  '\n',
  '\r\n',
  '\u2028',
  '\ufeff',
  '👩‍👩‍👧',
  'é',
  '%',
  '; drop table durably_runs; --',
  '$.a[0]',
  '?1',
  '</script>',
  'id: 5\ndata: {}\n\n',
);
/** Not `fc.string({ unit: 'binary' })`, which first makes a list of the million code points. */
const anyPoints = fc
  .array(
    fc.nat(0x10ffff).map((point) => String.fromCodePoint(point)),
    { minLength: 1, maxLength: 4 },
  )
  .map((points) => points.join(''));
const unit = fc.oneof(
  { weight: 3, arbitrary: anyPoints },
  { weight: 2, arbitrary: nasty },
  { weight: 1, arbitrary: fc.nat(0xffff).map((code) => String.fromCharCode(code)) },
);

/** Any sequence of UTF-16 units, well-formed or not. */
export const hostileText = fc.oneof(
  fc.array(unit, { maxLength: 8 }).map((units) => units.join('')),
  fc.nat(300).map((length) => 'k'.repeat(length)),
);

/** Picks the first alternative most of the time, so that a request with many parts is sometimes valid as a whole. */
function mostly<T>(good: fc.Arbitrary<T>, bad: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 15, arbitrary: good }, { weight: 1, arbitrary: bad });
}

export const hostileJson = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, false, 0, -1, 1e308, 5e-324, Number.MAX_SAFE_INTEGER + 2),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    hostileText,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(hostileText, tie('value'), { maxKeys: 4 }),
  ),
})).value;

export const deeplyNested = (levels: number, [open, close] = ['[', ']']) =>
  open.repeat(levels) + close.repeat(levels);

const badNumber = fc.constantFrom(
  '',
  '0',
  '1',
  '-1',
  '1000',
  '1001',
  '100000',
  '100001',
  '1.5',
  '1e3',
  '0x10',
  'NaN',
  '9'.repeat(40),
);
const number = mostly(fc.nat(1000).map(String), badNumber);
const status = mostly(
  fc.constantFrom('pending', 'running', 'leased', 'completed', 'failed', 'cancelled'),
  fc.constantFrom('PENDING', '', 'all'),
);

const labelKey = mostly(
  fc.constantFrom('org', 'a.b/c-d_e', 'constructor', '7'),
  fc.oneof(hostileText, fc.constant('__proto__')),
);
const labelValue = mostly(fc.constantFrom('1', '', 'x y', "it's"), hostileText);

export interface HostileRequest {
  readonly method: string;
  readonly path: string;
  readonly query: readonly (readonly [string, string])[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer> | undefined;
}

const body = (jobNames: readonly string[]) => {
  const jobName: fc.Arbitrary<unknown> = mostly<unknown>(fc.constantFrom(...jobNames), hostileJson);
  const key: fc.Arbitrary<unknown> = mostly<unknown>(
    fc.oneof(fc.constantFrom('one', 'two "quoted"', 'three\n👋'), hostileText.filter(isGoodKey)),
    fc.oneof(hostileText, hostileJson),
  );
  const labels = mostly<unknown>(fc.dictionary(labelKey, labelValue, { maxKeys: 3 }), hostileJson);
  const envelope = fc
    .record(
      { jobName, input: hostileJson, idempotencyKey: key, concurrencyKey: key, labels },
      { requiredKeys: [] },
    )
    .map((value) => JSON.stringify(value));
  return fc.oneof(
    { weight: 8, arbitrary: envelope },
    { weight: 2, arbitrary: hostileJson.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: fc.tuple(envelope, fc.nat(60)).map(([text, cut]) => text.slice(0, -cut)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => new Uint8Array(bytes)) },
    { weight: 1, arbitrary: fc.constantFrom(...nestedBodies(jobNames[0] ?? '')) },
  );
};

const isGoodKey = (text: string) =>
  text.length >= 1 && text.length <= 256 && text.isWellFormed() && !text.includes('\0');

function nestedBodies(jobName: string): string[] {
  const inputs = [
    deeplyNested(10_000),
    deeplyNested(10_000, ['{"a":', '1}']),
    deeplyNested(500),
    deeplyNested(501),
  ];
  const name = JSON.stringify(jobName);
  return inputs.map((input) => `{"jobName":${name},"input":${input.replace(/:\}/, ':1}')}}`);
}

/** Requests that are mostly valid, because obvious mistakes are refused early. */
export function hostileRequest(
  jobNames: readonly string[],
  knownIds: () => string,
): fc.Arbitrary<HostileRequest> {
  const runId = mostly(fc.constant(KNOWN_RUN), hostileText).map((text) =>
    text === KNOWN_RUN ? knownIds() : text,
  );
  const some = (name: string, value: fc.Arbitrary<string>, maxLength = 1) =>
    mostly(fc.array(value, { maxLength }), fc.array(value, { maxLength: 25 })).map((values) =>
      values.map((each) => [name, each] as const),
    );
  const query = (...parts: fc.Arbitrary<(readonly [string, string])[]>[]) =>
    fc.tuple(...parts).map((all) => all.flat());
  const request = (method: string, path: string, own: fc.Arbitrary<(readonly [string, string])[]>) =>
    fc.record({ method: fc.constant(method), path: fc.constant(path), query: own, headers: headers });
  const headers = fc.oneof(
    { weight: 3, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: number.map((text) => ({ 'last-event-id': text })) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom('text/plain', 'application/json; charset=utf-16', '')
        .map((type) => ({ 'content-type': type })),
    },
  );
  const jobName = some('jobName', mostly(fc.constantFrom(...jobNames), hostileText), 3);
  const one = mostly(fc.tuple(runId), fc.array(runId, { maxLength: 2 })).map((ids) =>
    ids.map((id) => ['runId', id] as const),
  );
  const labels = mostly(
    fc.dictionary(labelKey, labelValue, { maxKeys: 2 }),
    fc.dictionary(labelKey, labelValue, { maxKeys: 25 }),
  ).map((given) => Object.entries(given).map(([key, value]) => [`label.${key}`, value] as const));
  const lastEventId = some('lastEventId', number);
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(request('POST', '/trigger', query()), body(jobNames))
        .map(([each, text]) => ({ ...each, body: text })),
    },
    {
      weight: 2,
      arbitrary: request(
        'GET',
        '/runs',
        query(jobName, labels, some('status', status, 4), some('limit', number), some('offset', number)),
      ),
    },
    { weight: 1, arbitrary: request('GET', '/run', query(one)) },
    { weight: 1, arbitrary: request('GET', '/steps', query(one)) },
    {
      weight: 2,
      arbitrary: request(
        'GET',
        '/logs',
        query(one, some('level', status), some('limit', number), some('after', number)),
      ),
    },
    { weight: 2, arbitrary: request('GET', '/subscribe', query(one, lastEventId)) },
    { weight: 1, arbitrary: request('GET', '/runs/subscribe', query(jobName, labels, lastEventId)) },
    { weight: 2, arbitrary: request('POST', '/cancel', query(one)) },
    { weight: 2, arbitrary: request('POST', '/retry', query(one)) },
    { weight: 1, arbitrary: request('POST', '/retrigger', query(one)) },
    { weight: 1, arbitrary: request('DELETE', '/run', query(one)) },
    {
      weight: 1,
      arbitrary: fc.record({
        method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'),
        path: fc.oneof(
          hostileText.map((text) => `/${percentEncoded(text)}`),
          fc.constantFrom('/trigger', '/runs', '/run', '/runs/'),
        ),
        query: query(some('', hostileText), one),
        headers,
      }),
    },
  );
}

const KNOWN_RUN = '(a known run)';

/** Percent-encoding that also accepts lone surrogates, each as the three bytes that UTF-8 would give it. */
function percentEncoded(text: string): string {
  return [...text]
    .map((character) => {
      if (character.isWellFormed()) return encodeURIComponent(character);
      const code = character.charCodeAt(0);
      return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)]
        .map((byte) => `%${byte.toString(16)}`)
        .join('');
    })
    .join('');
}

export function toRequest({ method, path, query, headers, body: text }: HostileRequest): Request {
  const search = query.map(([name, value]) => `${percentEncoded(name)}=${percentEncoded(value)}`).join('&');
  return new Request(`http://localhost/api/durably${path}?${search}`, {
    method,
    headers,
    ...(text === undefined ? {} : { body: text }),
  });
}
