import { describe, expect, it } from 'vitest';
import { createApiKeys } from '../../src/app/api-keys.ts';
import { createDurablyClient } from '../../src/client/create-client.ts';
import {
  ConflictError,
  IdempotencyKeyReusedError,
  InputTooLargeError,
  NotFoundError,
  RunEndedError,
  TimeoutError,
  ValidationError,
} from '../../src/core/errors/errors.ts';
import {
  ForbiddenError,
  RateLimitedError,
  ServiceError,
  UnauthorizedError,
} from '../../src/core/errors/service-errors.ts';
import { RequestError } from '../../src/http/problem.ts';
import { rejectionOf } from '../support/runs.ts';
import { collect, startInProcess } from './service.ts';

describe('a trigger', () => {
  it('by the key of a job makes a run, whose output the client waits for', async () => {
    const { client } = await startInProcess();
    const { runId, disposition } = await client.jobs.greet.trigger({ name: 'Ada' }, { labels: { org: '1' } });
    expect(disposition).toBe('created');
    const run = await client.jobs.greet.run(runId).wait();
    expect(run).toMatchObject({ id: runId, status: 'completed', output: { text: 'Hello Ada' } });
    expect(run.output.text).toBe('Hello Ada');
    expect(await client.jobs.greet.triggerAndWait({ name: 'Bob' })).toMatchObject({
      output: { text: 'Hello Bob' },
    });
    const listed = await client.jobs.greet.getRuns({ labels: { org: '1' } });
    expect(listed).toEqual([run]);
  });

  it('by name takes the options of a trigger', async () => {
    const { client } = await startInProcess();
    const { runId } = await client.trigger('ask', { name: 'x' }, { delay: '1h', priority: 3 });
    expect(await client.getRun(runId)).toMatchObject({ jobName: 'ask', status: 'waiting' });
    await client.run(runId).reschedule({ delay: 0 });
    await client.run(runId).signal('x', { ok: true });
    expect(await client.run(runId).wait()).toMatchObject({ output: { ok: true } });
  });

  it('with a key of the caller returns the first run, or is refused if the caller wants that', async () => {
    const { client } = await startInProcess();
    const options = { idempotencyKey: 'say "1"\\' };
    const first = await client.trigger('greet', { name: 'Ada' }, options);
    expect(await client.trigger('greet', { name: 'Bob' }, options)).toEqual({
      runId: first.runId,
      disposition: 'idempotent',
    });
    const refused = client.trigger('greet', { name: 'Bob' }, { ...options, idempotencyKeyReuse: 'refuse' });
    expect(await rejectionOf(refused)).toBeInstanceOf(IdempotencyKeyReusedError);
  });

  it('of many runs stores all, and shows which ones the caller may not see', async () => {
    const { client } = await startInProcess({
      auth: {
        authenticate: () => null,
        onRunAccess: (_context, _run, { operation }) => {
          if (operation === 'trigger') throw new RequestError('FORBIDDEN', 'not yours');
        },
      },
    });
    const trigger = { input: { name: 'Ada' }, options: { idempotencyKey: 'k' } };
    const [one, two] = await client.jobs.greet.batchTrigger([trigger, trigger]);
    expect(one).toMatchObject({ disposition: 'created' });
    expect(two).toMatchObject({ disposition: 'refused', error: { code: 'FORBIDDEN', message: 'not yours' } });
    expect(await client.getRuns()).toHaveLength(1);
  });

  it('is refused with the issues of its input', async () => {
    const { client } = await startInProcess();
    const error = await rejectionOf(client.trigger('greet', { name: 5 }));
    expect(error).toBeInstanceOf(ValidationError);
    expect(error).toMatchObject({ code: 'VALIDATION', issues: [{ path: ['name'] }] });
    expect(await rejectionOf(client.trigger('gret', {}))).toBeInstanceOf(NotFoundError);
  });
});

describe('a wait', () => {
  it('reports progress, and rejects with how the run ended', async () => {
    const { client } = await startInProcess();
    const seen: unknown[] = [];
    await client.jobs.greet.triggerAndWait(
      { name: 'Ada' },
      { onProgress: (progress) => seen.push(progress) },
    );
    expect(seen.at(-1)).toEqual({ current: 1, total: 2, message: 'composing' });
    const failed = await rejectionOf(client.jobs.fail.triggerAndWait({}));
    expect(failed).toBeInstanceOf(RunEndedError);
    expect(failed).toMatchObject({ ending: 'failed', message: 'no luck', cause: { message: 'no luck' } });
  });

  it('rejects when the time is up, when the run is cancelled, and for an unknown run', async () => {
    const { client } = await startInProcess();
    const { runId } = await client.jobs.wait.trigger({});
    expect(await rejectionOf(client.run(runId).wait({ timeout: 20 }))).toBeInstanceOf(TimeoutError);
    const waiting = rejectionOf(client.run(runId).wait());
    await client.run(runId).cancel();
    expect(await waiting).toMatchObject({ ending: 'cancelled' });
    expect(await rejectionOf(client.run('run_unknown').wait())).toBeInstanceOf(NotFoundError);
  });

  it('ends at once when its signal aborts, with the reason', async () => {
    const { client } = await startInProcess();
    const { runId } = await client.jobs.wait.trigger({});
    const stop = new AbortController();
    const waiting = rejectionOf(client.run(runId).wait({ signal: stop.signal }));
    stop.abort(new Error('enough'));
    expect(await waiting).toMatchObject({ message: 'enough' });
    expect(await rejectionOf(client.getRun(runId, { signal: stop.signal }))).toMatchObject({
      message: 'enough',
    });
  });
});

describe('what is read', () => {
  it('is what the instance reads', async () => {
    const { client, durably } = await startInProcess();
    const { id } = await client.jobs.greet.triggerAndWait({ name: 'Ada' });
    expect(await client.getRun(id)).toEqual(await durably.getRun(id));
    expect(await client.getSteps(id)).toEqual(await durably.getSteps(id));
    expect(await client.run(id).logs({ level: 'warn' })).toEqual(
      await durably.getLogs({ runId: id, level: 'warn' }),
    );
    expect(await client.getJobs({ jobName: 'greet' })).toEqual(await durably.getJobs({ jobName: 'greet' }));
    expect(await client.getRun('run_unknown')).toBeNull();
    expect(await client.getRuns({ jobName: [] })).toEqual([]);
    expect(await client.getRuns({ fields: ['status'] })).toEqual([{ status: 'completed' }]);
  });

  it('comes in pages, each once', async () => {
    const { client } = await startInProcess();
    const triggers = Array.from({ length: 5 }, () => ({ jobName: 'wait', delay: '1h' }) as const);
    const ids = (await client.batchTrigger(triggers)).map((each) => 'runId' in each && each.runId);
    const pages = await collect(client.runPages({ limit: 2, status: 'waiting' }));
    expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
    expect(pages.flat().map((run) => run.id)).toEqual(ids.reverse());
    const { nextCursor } = await client.getRunsPage({ limit: 6 });
    expect(nextCursor).toBeNull();
    expect(await collect(client.runPages({ limit: 5 }))).toHaveLength(1);
  });
});

it('runs are retried, forked, retriggered, deleted and changed together', async () => {
  const { client } = await startInProcess();
  const { runId } = await client.jobs.fail.trigger({});
  await rejectionOf(client.run(runId).wait());
  await client.run(runId).retry();
  await rejectionOf(client.run(runId).wait());
  expect(await client.run(runId).get()).toMatchObject({ status: 'failed', attempt: 2 });
  expect(await rejectionOf(client.cancel(runId))).toBeInstanceOf(ConflictError);
  const greeting = await client.jobs.greet.triggerAndWait({ name: 'Ada' });
  const again = await client.run(greeting.id).retrigger();
  expect(await client.run(again.runId).wait()).toMatchObject({ payload: { name: 'Ada' } });
  const fork = await client.run(greeting.id).fork({ from: 'compose', input: { name: 'Eve' } });
  expect(await client.run(fork.runId).wait()).toMatchObject({ output: { text: 'Hello Eve' } });
  await client.run(fork.runId).delete();
  expect(await client.getRun(fork.runId)).toBeNull();
  expect(await client.deleteRuns({ status: 'failed' })).toEqual({ count: 1, more: false });
  expect(await rejectionOf(client.cancelRuns({}))).toBeInstanceOf(ValidationError);
});

it('schedules are stored, fired and deleted, and jobs are paused', async () => {
  const { client } = await startInProcess();
  const stored = await client.schedule({
    id: 'daily',
    jobName: 'greet',
    input: { name: 'Ada' },
    cron: '@daily',
  });
  expect(await client.getSchedules()).toEqual([stored]);
  const { runId } = await client.fireSchedule('daily');
  expect(await client.run(runId).wait()).toMatchObject({ scheduleId: 'daily' });
  await client.pauseSchedule('daily');
  await client.resumeSchedule('daily');
  await client.deleteSchedule('daily');
  await client.pauseJob('greet');
  expect(await client.getJobs({ jobName: 'greet' })).toMatchObject([{ paused: true }]);
  await client.resumeJob('greet');
  expect(await client.processUntilIdle({ timeoutMs: 1_000 })).toBe(0);
});

describe('a refusal', () => {
  it('is an error of the class that fits it', async () => {
    const apiKeys = await createApiKeys([{ name: 'ada', key: 'a'.repeat(32) }]);
    const { client, clientWith } = await startInProcess({ apiKeys, rateLimit: 4, maxBodyBytes: 200 });
    expect(await rejectionOf(client.getRuns())).toBeInstanceOf(UnauthorizedError);
    expect(await rejectionOf(clientWith('wrong').getRuns())).toBeInstanceOf(UnauthorizedError);
    const known = clientWith('a'.repeat(32));
    expect(await known.createStreamTicket()).toMatchObject({ ticket: expect.any(String) });
    const large = rejectionOf(known.trigger('greet', { name: 'x'.repeat(300) }));
    expect(await large).toBeInstanceOf(InputTooLargeError);
    await known.getRuns();
    await known.getRuns();
    const limited = await rejectionOf(known.getRuns());
    expect(limited).toBeInstanceOf(RateLimitedError);
    expect(limited).toMatchObject({ code: 'RATE_LIMITED', retryAfter: expect.any(Number) });
  });

  it('by a hook keeps its message', async () => {
    const { client } = await startInProcess({
      auth: {
        authenticate: () => {
          throw new RequestError('FORBIDDEN', 'not on Sundays');
        },
      },
    });
    const error = await rejectionOf(client.getRuns());
    expect(error).toBeInstanceOf(ForbiddenError);
    expect(error.message).toBe('not on Sundays');
  });

  it('says that the url may be wrong if nothing of durably is there', async () => {
    const { fetchFromApp } = await startInProcess();
    const astray = createDurablyClient({ url: 'http://localhost:3000', fetch: fetchFromApp });
    const error = await rejectionOf(astray.getRun('run_1'));
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error.message).toMatch(/is the url right/);
    for (const answer of [
      () => new Response('<html>', { headers: { 'content-type': 'text/html' } }),
      () => new Response('<html>', { status: 404, headers: { 'content-type': 'text/html' } }),
      () => Response.json({ some: 'thing else' }),
    ]) {
      const other = createDurablyClient({ url: 'http://localhost/', fetch: async () => answer() });
      expect(await rejectionOf(other.getRuns())).toBeInstanceOf(ServiceError);
    }
  });

  it('comes before anything is sent if the url has a query', () => {
    expect(() => createDurablyClient({ url: 'http://localhost/api?x=1' })).toThrow(ValidationError);
  });
});
