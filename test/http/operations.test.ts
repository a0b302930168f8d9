import { describe, expect, it, vi } from 'vitest';
import {
  ConflictError,
  DatabaseUnavailableError,
  NotFoundError,
  SchemaMismatchError,
  ValidationError,
} from '../../src/core/errors/errors.ts';
import { operations } from '../../src/http/operations/index.ts';
import { bodyOf, doors, postJson, readProblem, requestTo, validRequest } from './doors.ts';
import { type FakeDurably, fakeDurably } from './fake-durably.ts';

/** A service in which every call fails with the same error. */
function failing(error: unknown): FakeDurably {
  const fail = async () => {
    throw error;
  };
  return fakeDurably({
    trigger: fail,
    batchTriggerForIds: fail,
    retrigger: fail,
    fork: fail,
    getRun: fail,
    getRuns: fail,
    getSteps: fail,
    getLogs: fail,
    retry: fail,
    cancel: fail,
    deleteRun: fail,
    signal: fail,
    pauseJob: fail,
    resumeJob: fail,
    getJobs: fail,
    getStats: fail,
    getWorkers: fail,
    getOverview: fail,
    reschedule: fail,
    cancelRuns: fail,
    retryRuns: fail,
    deleteRuns: fail,
    schedule: fail,
    getSchedules: fail,
    deleteSchedule: fail,
    pauseSchedule: fail,
    resumeSchedule: fail,
    fireSchedule: fail,
    openRunFeed: fail,
    openRunListFeed: fail,
    processUntilIdle: fail,
  });
}

const silent = { onError: () => {} };
const needingRunId = operations.filter(({ input }) => 'runId' in input.schema.shape);

describe.each(doors)('through $door', ({ open }) => {
  describe.each(operations)('$method $path', (operation) => {
    it('answers a valid request', async () => {
      const response = await open(fakeDurably())(validRequest(operation));
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe(
        operation.answers === 'json' ? 'application/json' : 'text/event-stream',
      );
      if (operation.answers === 'json')
        expect(operation.output.safeParse(await response.json()).success).toBe(true);
      else await response.body?.cancel();
    });

    it('calls onRequest once, before anything else, and a Response it throws is the answer', async () => {
      const durably = fakeDurably();
      const send = open(durably, {
        onRequest: () => {
          expect(durably.calls).toEqual([]);
          throw new Response('who are you?', { status: 401 });
        },
      });
      const response = await send(requestTo(operation.path, { method: operation.method }));
      expect(response.status).toBe(401);
      expect(await response.text()).toBe('who are you?');
      expect(durably.calls).toEqual([]);

      const onRequest = vi.fn();
      await open(fakeDurably(), { onRequest })(validRequest(operation));
      expect(onRequest).toHaveBeenCalledTimes(1);
    });

    it("answers 503 while the database is unavailable, without the driver's text", async () => {
      for (const error of [
        new DatabaseUnavailableError('gone', { cause: new Error('secret host db7 refused') }),
        new SchemaMismatchError('durably_runs has a column secret'),
      ]) {
        const onError = vi.fn();
        const { status, headers, body } = await readProblem(
          await open(failing(error), { onError })(validRequest(operation)),
        );
        expect(status).toBe(503);
        expect(headers.get('retry-after')).toMatch(/^\d+$/);
        expect(body).toMatchObject({ code: 'DATABASE_UNAVAILABLE', status: 503 });
        expect(JSON.stringify(body)).not.toContain('secret');
        expect(onError).toHaveBeenCalledExactlyOnceWith(error, expect.anything());
      }
    });

    it('answers 500 with a generic text for an unexpected error, and logs the cause', async () => {
      for (const error of [new TypeError('secret of undefined'), 'secret', undefined]) {
        const onError = vi.fn();
        const problem = await readProblem(await open(failing(error), { onError })(validRequest(operation)));
        expect(problem.status).toBe(500);
        expect(problem.contentType).toBe('application/problem+json');
        expect(JSON.stringify(problem.body)).not.toContain('secret');
        expect(problem.body).toMatchObject({ title: 'Internal Server Error', code: 'INTERNAL' });
        expect(onError).toHaveBeenCalledExactlyOnceWith(error, expect.anything());
      }
    });
  });

  describe.each(needingRunId)('$method $path', (operation) => {
    const { method, path, input } = operation;
    const others = 'from' in input.schema.shape ? '&from=one' : '';
    const body = bodyOf(operation);
    const init = { method, ...(body && { body: JSON.stringify(body) }) };
    const refused = async (query: string) => {
      const durably = fakeDurably();
      const problem = await readProblem(
        await open(durably)(requestTo(`${path}${query === '' ? '?' : query}${others}`, init)),
      );
      expect(durably.calls).toEqual([]);
      expect(problem).toMatchObject({ status: 400, contentType: 'application/problem+json' });
      return problem.body;
    };

    it.each(['', '?runId=', '?runId'])('needs a runId: %j', async (query) => {
      expect(await refused(query)).toEqual({
        type: 'about:blank',
        title: 'Bad Request',
        status: 400,
        detail: 'runId query parameter is required',
        error: 'runId query parameter is required',
        code: 'VALIDATION',
        issues: [{ path: ['runId'], message: 'runId query parameter is required' }],
      });
    });

    it.each([
      ['?runId=a&runId=b', 'runId must be given once, not 2 times'],
      ['?runId=a%00b', 'runId must not hold a NUL or a lone surrogate, as "a\\u0000b" does'],
      ['?runId=%ED%A0%80', 'runId must be percent-encoded UTF-8, not "%ED%A0%80"'],
      ['?runId=%zz', 'runId must be percent-encoded UTF-8, not "%zz"'],
    ])('refuses %s', async (query, message) => {
      expect(await refused(query)).toMatchObject({ error: message, detail: message });
    });

    it('answers 404 for an unknown run', async () => {
      const durably = fakeDurably({
        ...failing(new NotFoundError('Run not found')),
        getRun: async () => null,
        openRunFeed: async () => ({ kind: 'not-found' }),
      });
      const problem = await readProblem(await open(durably)(requestTo(`${path}?runId=run_x${others}`, init)));
      expect(problem.status).toBe(404);
      expect(problem.body).toMatchObject({ title: 'Not Found', error: 'Run not found', code: 'NOT_FOUND' });
    });
  });

  it.each(operations.filter(({ effect }) => effect === 'write'))(
    'answers 409 to $method $path in a wrong state',
    async (operation) => {
      const send = open(failing(new ConflictError('Cannot do that to a running run')));
      const { status, body } = await readProblem(await send(validRequest(operation)));
      expect(status).toBe(409);
      expect(body).toMatchObject({ error: 'Cannot do that to a running run', code: 'CONFLICT' });
    },
  );

  it('answers a retrigger with the new run', async () => {
    const durably = fakeDurably();
    const response = await open(durably)(requestTo('/retrigger?runId=run_1', { method: 'POST' }));
    expect(await response.json()).toEqual({ success: true, runId: 'run_2' });
    expect(durably.calls).toEqual([{ method: 'retrigger', args: ['run_1'] }]);
  });

  it('lists the issues of a job input that its schema refuses', async () => {
    const issues = [{ path: ['items', 0, 'id'], message: 'expected number' }];
    const send = open(failing(new ValidationError('Invalid input: items.0.id: expected number', issues)));
    const { status, body } = await readProblem(
      await send(postJson('/trigger', { jobName: 'greet', input: {} })),
    );
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: 'Invalid input: items.0.id: expected number', issues });
  });

  it('answers as usual when the error hook throws', async () => {
    const complaint = vi.spyOn(console, 'error').mockImplementation(() => {});
    const send = open(failing(new Error('x')), {
      onError: () => {
        throw new Error('hook');
      },
    });
    expect((await send(requestTo('/runs'))).status).toBe(500);
    expect(complaint).toHaveBeenCalled();
    complaint.mockRestore();
  });

  it('answers with a problem when onRequest fails', async () => {
    const onRequest = async () => {
      throw new DatabaseUnavailableError('locked');
    };
    expect((await open(fakeDurably(), { onRequest, ...silent })(requestTo('/runs'))).status).toBe(503);
  });
});
