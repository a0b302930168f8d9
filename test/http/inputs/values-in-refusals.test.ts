import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createApiKeys } from '../../../src/app/api-keys.ts';
import { createDurablyApp } from '../../../src/app/create-app.ts';
import type { Operation } from '../../../src/http/operation.ts';
import { operations } from '../../../src/http/operations/index.ts';
import { defineJob } from '../../../src/index.ts';
import { createTestDurably } from '../../../src/testing.ts';
import { bodyOf, pathOf, requestTo } from '../doors.ts';

/** A bad value of a field, how the message names the field, and how it shows the value. */
interface Bad {
  readonly given: unknown;
  readonly named?: string;
  readonly shown: string;
  /** What must be given with it. */
  readonly beside?: object;
}

const LONG = 'k'.repeat(300);
const SHOWN_LONG = `"${'k'.repeat(64)}…" (300 characters)`;
const nul = { given: 'a\0b', shown: '"a\\u0000b"' };
const word = { given: 'never', shown: '"never"' };

/** A row for each parameter of a query. */
const PARAMETERS: Readonly<Record<string, readonly Bad[]>> = {
  runId: [nul],
  jobName: [nul],
  id: [nul, { given: LONG, shown: SHOWN_LONG }],
  from: [nul],
  status: [word],
  parentRunId: [nul],
  scheduleId: [nul],
  createdAfter: [word],
  createdBefore: [word],
  q: [nul, { given: LONG, shown: SHOWN_LONG }],
  label: [
    { given: { 'label.a b': '1' }, named: 'label.a b', shown: '"a b"' },
    { given: { 'label.org': LONG }, named: 'label.org', shown: SHOWN_LONG },
  ],
  limit: [word],
  offset: [word, { given: '1', shown: '1', beside: { cursor: 'c1' } }],
  cursor: [word, { given: '\u202e', shown: '"\\u202e"' }],
  fields: [word],
  lastEventId: [word],
  level: [word],
  after: [word],
  timeoutMs: [word],
  since: [word],
  bucket: [word],
  counts: [word],
  schedules: [word],
};

const number = { given: 7, shown: '7' };
const key = [number, nul, { given: LONG, shown: SHOWN_LONG }, { given: '', shown: '""' }];
const duration = [word, { given: true, shown: 'true' }, { given: -1, shown: '-1' }];

/** A row for each member of a body, besides what jobs and signals carry. */
const MEMBERS: Readonly<Record<string, readonly Bad[]>> = {
  jobName: [number, nul],
  idempotencyKey: key,
  idempotencyTtl: duration.map((bad) => ({ ...bad, beside: { idempotencyKey: 'k' } })),
  concurrencyKey: key,
  coalesce: [word, { given: 'skip', shown: '"skip"' }],
  debounce: [
    number,
    { given: { key: '', delay: 1 }, named: 'debounce.key', shown: '""' },
    { given: { key: LONG, delay: 1 }, named: 'debounce.key', shown: SHOWN_LONG },
    { given: { key: 'k', delay: 'never' }, named: 'debounce.delay', shown: '"never"' },
    { given: { key: 'k', delay: {} }, named: 'debounce.delay', shown: 'an object' },
    { given: { key: 'k', delay: 1, maxDelay: 'never' }, named: 'debounce.maxDelay', shown: '"never"' },
  ],
  labels: [
    word,
    { given: ['x'], shown: 'a list' },
    { given: { org: 7 }, named: 'labels.org', shown: '7' },
    { given: { org: LONG }, named: 'labels.org', shown: SHOWN_LONG },
    { given: { 'a b': '1' }, named: 'labels.a b', shown: '"a b"' },
  ],
  delay: duration,
  runAt: [
    number,
    word,
    { given: '2030-01-01T00:00:00Z', shown: '"2030-01-01T00:00:00Z"', beside: { delay: '1h' } },
  ],
  priority: [word, { given: 1001, shown: '1001' }],
  ttl: duration,
  timeout: duration,
  webhook: [
    number,
    { given: { url: 7 }, named: 'webhook.url', shown: '7' },
    { given: { url: 'https://example.com', events: ['never'] }, named: 'webhook.events', shown: '"never"' },
  ],
  runs: [word, { given: Array(1001).fill({ jobName: 'greet' }), shown: '1001' }],
  name: [number, nul, { given: 'n'.repeat(1025), shown: '1025 characters' }],
  signalId: key,
  cron: [number, word],
  every: [...duration, { given: '1ms', shown: '"1ms"' }],
  timezone: [number, word],
  missed: [word],
  overlap: [word],
  startAt: [number, word],
  endAt: [number, word],
  status: [word],
  createdAfter: [number, word],
  createdBefore: [number, word],
  parentRunId: [number],
  scheduleId: [number],
  q: [number, { given: LONG, shown: SHOWN_LONG }],
  limit: [word, { given: 1001, shown: '1001' }],
  all: [word],
};

/** Any value will do. */
const OWN_DATA = ['input', 'payload'];

const greet = defineJob({ name: 'greet', input: z.unknown(), run: () => 'hello' });
const t = await createTestDurably({ jobs: { greet } });
afterAll(() => t.stop());
const app = createDurablyApp(t.durably);

async function refusalOf(request: Request) {
  const response = await app.fetch(request);
  const { detail, issues } = (await response.json()) as { detail: string; issues: { path: string[] }[] };
  expect({ status: response.status, detail }).toMatchObject({ status: 400 });
  return { detail, issues };
}

function withQuery(operation: Operation, parameters: object): Request {
  const path = new URL(`http://localhost${pathOf(operation, 'run_1')}`);
  for (const [name, value] of Object.entries(parameters)) path.searchParams.set(name, value);
  const body = operation.input.from === 'query' ? null : JSON.stringify(bodyOf(operation));
  return requestTo(`${path.pathname}${path.search}`, { method: operation.method, body });
}

function withBody(operation: Operation, members: object): Request {
  const { every: _, ...valid } = { every: undefined, ...bodyOf(operation) };
  const others = 'every' in members ? { jobName: 'greet' } : valid;
  return requestTo(pathOf(operation, 'run_1'), {
    method: operation.method,
    body: JSON.stringify({ ...others, ...members }),
  });
}

const shapes = operations.map((operation) => {
  const { input } = operation;
  const query = input.from === 'query' ? input.schema : input.from === 'both' ? input.query : undefined;
  const body = input.from === 'body' ? input.schema : input.from === 'both' ? input.body : undefined;
  return {
    operation: operation as Operation,
    parameters: Object.keys(query?.shape ?? {}),
    members: Object.keys(body?.shape ?? {}).filter((name) => !OWN_DATA.includes(name)),
  };
});

describe('the refusal of a bad value names the field and shows the value', () => {
  it.each(
    shapes.flatMap(({ operation, parameters }) =>
      parameters.flatMap((name) =>
        (PARAMETERS[name] ?? [undefined]).map((bad) => ({ operation, name, bad, where: operation.path })),
      ),
    ),
  )('$where?$name, $bad.shown', async ({ operation, name, bad }) => {
    if (bad === undefined) throw new Error(`${name} needs a row in PARAMETERS`);
    const given = typeof bad.given === 'object' ? (bad.given as object) : { [name]: bad.given };
    const { detail, issues } = await refusalOf(withQuery(operation, { ...bad.beside, ...given }));
    expect(detail).toContain(bad.named ?? name);
    expect(detail).toContain(bad.shown);
    expect(issues.length).toBeGreaterThan(0);
  });

  it.each(
    shapes.flatMap(({ operation, members }) =>
      members.flatMap((name) =>
        (MEMBERS[name] ?? [undefined]).map((bad) => ({ operation, name, bad, where: operation.path })),
      ),
    ),
  )('$where { $name }, $bad.shown', async ({ operation, name, bad }) => {
    if (bad === undefined) throw new Error(`${name} needs a row in MEMBERS`);
    const { detail } = await refusalOf(withBody(operation, { ...bad.beside, [name]: bad.given }));
    expect(detail).toContain(bad.named ?? name);
    expect(detail).toContain(bad.shown);
    expect(detail.length).toBeLessThan(500);
  });
});

describe('the refusal of a bad header names the header and shows the value', () => {
  it.each([
    ['GET', '/subscribe?runId=r', 'Last-Event-ID', 'never'],
    ['GET', '/runs/subscribe', 'Last-Event-ID', '-1'],
    ['POST', '/trigger', 'Idempotency-Key', '"never'],
    ['POST', '/trigger', 'Idempotency-Key', LONG],
  ])('%s %s with %s: %s', async (method, path, header, value) => {
    const body = method === 'POST' ? '{"jobName":"greet"}' : null;
    const { detail } = await refusalOf(requestTo(path, { method, body, headers: { [header]: value } }));
    const name = detail.includes(header) ? header : 'idempotencyKey';
    expect(detail).toContain(name);
    expect(detail).toContain(value === LONG ? SHOWN_LONG : JSON.stringify(value));
  });

  it('names both keys of a trigger that has two', async () => {
    const headers = { 'idempotency-key': 'one' };
    const body = '{"jobName":"greet","idempotencyKey":"two"}';
    const { detail } = await refusalOf(requestTo('/trigger', { method: 'POST', body, headers }));
    expect(detail).toBe('The header Idempotency-Key "one" does not go with idempotencyKey "two" of the body');
  });
});

it('never shows the key of a caller', async () => {
  const key = 'abcdefgh12345678';
  const keyed = createDurablyApp(t.durably, {
    apiKeys: await createApiKeys([{ name: 'one', key: `${key}x` }]),
  });
  for (const authorization of [`Bearer ${key}`, `Basic ${key}`, key]) {
    const response = await keyed.fetch(requestTo('/runs?limit=x', { headers: { authorization } }));
    expect(response.status).toBe(401);
    expect(await response.text()).not.toContain(key);
  }
});
