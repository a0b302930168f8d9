import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { storableText } from '../../src/core/json/json.ts';
import { defineJob } from '../../src/index.ts';
import {
  deeplyNested,
  type HostileRequest,
  hostileJson,
  hostileRequest,
  hostileText,
  toRequest,
} from './hostile/hostile.ts';
import { type InProcess, startInProcess } from './hostile/in-process.ts';
import { createJobs } from './service/jobs.ts';
import { report, scale, seeded } from './support/chaos.ts';
import { eventually } from './support/eventually.ts';

vi.setConfig({ testTimeout: 600_000 });

const { echo } = createJobs();
const anything = defineJob({ name: 'anything', input: z.unknown(), run: (_step, payload) => payload });
const ANSWERS = [200, 204, 400, 404, 405, 409, 413];
const INTERNALS =
  /SQLITE|sqlite|libsql|kysely|zod|durably_(runs|steps|journal)|json_each|node_modules|\.[jt]s:\d|\/work\/|\/home\/|\bat \w+ \(/;

let service: InProcess;
beforeEach(async () => {
  service = await startInProcess({ anything, echo });
});
afterEach(async () => await service.dispose());

test('no request is answered with 500, shows internals, or reads more than 1,000 rows at once', async () => {
  const seed = seeded('hostile input').seed;
  const ids: string[] = [];
  let asked = 0;
  const requests = hostileRequest(
    ['anything', echo.name],
    () => ids[ids.length - 1 - (asked++ % 40)] ?? 'run_none',
  );
  const counts: Record<string, number> = {};
  const start = performance.now();
  await fc.assert(
    fc.asyncProperty(fc.array(requests, { minLength: 20, maxLength: 20 }), async (batch) => {
      await Promise.all(
        batch.map(async (request) => {
          const { status, text } = await answerOf(request);
          counts[status] = (counts[status] ?? 0) + 1;
          if (request.path === '/trigger' && status === 200 && request.method === 'POST')
            ids.push(JSON.parse(text).runId);
        }),
      );
    }),
    { seed, numRuns: scale(200), interruptAfterTimeLimit: 500_000 },
  );
  report('hostile input', {
    figures: { ...counts, ms: performance.now() - start, 'most rows': service.rows.most },
  });
  // The worker of a run that is cancelled and deleted at once loses it.
  expect(service.reported.filter((each) => (each as { context?: string }).context !== 'lease')).toEqual([]);
  expect(service.rows.most).toBeLessThanOrEqual(1000);
  expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(4_000);
  // Some requests must have been accepted.
  for (const status of [200, 204, 400, 404, 405, 409]) expect(counts[status]).toBeGreaterThan(5);
  await eventually(
    'all runs to end',
    async () => (await service.durably.getRuns({ status: ['pending', 'running'] })).length === 0,
  );
});

async function answerOf(request: HostileRequest): Promise<{ status: number; text: string }> {
  const response = await service.ask(toRequest(request));
  const { status } = response;
  const text =
    response.headers.get('content-type') === 'text/event-stream'
      ? await firstFrames(response)
      : await response.text();
  expect(ANSWERS).toContain(status);
  if (status >= 400 && request.method !== 'HEAD') {
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    const problem = JSON.parse(text);
    expect(problem).toMatchObject({ status, error: problem.detail });
    // Echoes of the request itself don't count as internals.
    if (!INTERNALS.test(`${request.path} ${request.query.join()} ${request.body}`))
      expect(text).not.toMatch(INTERNALS);
  }
  return { status, text };
}

/** Reads only the beginning, because streams may not end. */
async function firstFrames(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  const first = await reader?.read();
  await reader?.cancel();
  return new TextDecoder().decode(first?.value);
}

test('payloads, results, names, logs and errors come back unchanged, whatever they contain', async () => {
  const seed = seeded('round trip').seed;
  const names = hostileText.filter((text) => text.length > 0);
  await fc.assert(
    fc.asyncProperty(hostileJson, names, fc.boolean(), async (value, name, fails) => {
      const input = { value, name, fails };
      const { id: runId } = await service.durably.trigger({ jobName: echo.name, input });
      const stream = await (await get('/subscribe', runId)).text();
      const run = await json('/run', runId);
      const [step] = await json('/steps', runId);
      const [line] = await json('/logs', runId);
      const lines = stream.split('\n').filter((each) => each.startsWith('data: '));
      const events = lines.map((each) => JSON.parse(each.slice('data: '.length)));
      const event = (type: string) => events.find((each) => each.type === type);
      // Texts outside of JSON are made well-formed. Texts inside of JSON are kept as they are.
      const text = storableText(name);
      expectSame(run.payload, input);
      expectSame(
        [run.jobName, run.status, run.error],
        [echo.name, fails ? 'failed' : 'completed', fails ? text : null],
      );
      expectSame(run.output, fails ? null : value);
      expectSame([step.name, step.output], [text, value]);
      expectSame([line.message, line.stepName, line.level, line.data], [text, text, 'warn', value]);
      expectSame([event('run:start').payload, event('run:start').jobName], [input, echo.name]);
      expectSame([event('step:complete').stepName, event('step:complete').output], [text, value]);
      expectSame([event('log:write').message, event('log:write').data], [text, value]);
      if (fails) expectSame(event('run:fail').error, text);
      else expectSame(event('run:complete').output, value);
    }),
    { seed, numRuns: scale(75), interruptAfterTimeLimit: 500_000 },
  );
  expect(service.reported).toEqual([]);
});

describe('keys', () => {
  const emoji = '👋';
  test.each(['idempotencyKey', 'concurrencyKey'] as const)('%s may have 1 to 256 characters', async (key) => {
    for (const good of ['k', 'k'.repeat(256), emoji.repeat(128), '"\n\' ; --']) {
      const { status, text } = await trigger({ jobName: 'anything', [key]: good });
      expect(status).toBe(200);
      expect((await json('/run', JSON.parse(text).runId))[key]).toBe(good);
    }
    for (const bad of ['', 'k'.repeat(257), emoji.repeat(129), 'a\0', '\ud800', 7, {}]) {
      expect((await trigger({ jobName: 'anything', [key]: bad })).status).toBe(400);
    }
  });
});

describe('nesting', () => {
  test('accepts an input of 500 levels and refuses one of 501 or 10,000', async () => {
    const send = (levels: number, brackets?: [string, string]) =>
      service.ask(post(`{"jobName":"anything","input":${deeplyNested(levels, brackets)}}`));
    expect((await send(500)).status).toBe(200);
    for (const levels of [501, 999, 10_000, 100_000]) {
      expect((await send(levels)).status).toBe(400);
      expect((await send(levels, ['[[0,', ']]'])).status).toBe(400);
    }
    expect(service.reported).toEqual([]);
  });

  test('results and outputs of 10,000 levels fail their step or run, and such log data is left out', async () => {
    const deep = JSON.parse(deeplyNested(5_000));
    const deeper = [deep];
    for (let i = 0; i < 5_000; i++) deeper[0] = [deeper[0]];
    service.durably.register({
      deepStep: job('deep step', (step) => step.run('deep', () => deeper)),
      deepOutput: job('deep output', () => deeper),
      deepLog: job('deep log', async (step) => step.log.info('deep', deeper)),
    });
    const ends = await endsOf(['deep step', 'deep output', 'deep log']);
    expect(ends.map(({ status }) => status)).toEqual(['failed', 'failed', 'completed']);
    expect(ends[0]?.error).toMatch(/deep/);
    expect(await json('/logs', ends[2]?.id ?? '')).toMatchObject([{ level: 'warn', data: null }]);
    expect(service.reported).toEqual([]);
  });
});

test('lone surrogates in results, errors, log lines, progress and step names do not end the process', async () => {
  const lone = 'a\ud800b\udc00\ud800';
  service.durably.register({
    loneResult: job('lone result', (step) => step.run(lone, () => ({ [lone]: lone }))),
    loneError: job('lone error', (step) =>
      step.run(lone, () => {
        throw new Error(lone);
      }),
    ),
    loneTelemetry: job('lone telemetry', async (step) => {
      step.log.error(lone, { [lone]: lone });
      step.progress(1, 2, lone);
      await step.run('wait', () => undefined);
      return lone;
    }),
  });
  const ends = await endsOf(['lone result', 'lone error', 'lone telemetry']);
  expect(ends.map(({ status }) => status)).toEqual(['completed', 'failed', 'completed']);
  for (const { id } of ends) {
    for (const path of ['/run', '/steps', '/logs', '/subscribe'])
      expect((await get(path, id)).status).toBe(200);
  }
  expect(ends[0]?.output).toEqual({ [lone]: lone });
  expect(ends[1]?.error).toBe(storableText(lone));
  expect(service.reported).toEqual([]);
});

function job(name: string, run: Parameters<typeof defineJob>[0]['run']) {
  return defineJob({ name, input: z.unknown(), run });
}

async function endsOf(jobNames: readonly string[]) {
  const runs = await Promise.all(
    jobNames.map((jobName) => service.durably.trigger({ jobName, input: null })),
  );
  return await eventually('the runs to end', async () => {
    const now = await Promise.all(runs.map(({ id }) => service.durably.getRun(id)));
    return now.every((run) => run && run.completedAt !== null) && now.flatMap((run) => (run ? [run] : []));
  });
}

function post(body: string): Request {
  return new Request('http://localhost/api/durably/trigger', { method: 'POST', body });
}

async function trigger(body: object): Promise<{ status: number; text: string }> {
  const response = await service.ask(post(JSON.stringify(body)));
  return { status: response.status, text: await response.text() };
}

async function get(path: string, runId: string): Promise<Response> {
  return await service.ask(new Request(`http://localhost/api/durably${path}?runId=${runId}`));
}

// biome-ignore lint/suspicious/noExplicitAny: what the service answers is what is being tested.
async function json(path: string, runId: string): Promise<any> {
  return JSON.parse(await (await get(path, runId)).text());
}

/** Equal as JSON texts: JSON loses or changes nothing. */
function expectSame(actual: unknown, expected: unknown): void {
  expect(JSON.stringify(actual)).toBe(JSON.stringify(JSON.parse(JSON.stringify(expected))));
}
