import { describe, expect, it, vi } from 'vitest';
import { RequestError } from '../../src/http/problem.ts';
import { authenticate } from './auth/ada.ts';
import { doors, postJson, readProblem } from './doors.ts';
import { fakeDurably, sampleRun } from './fake-durably.ts';

function problem(status: number, title: string, code: string, detail: string) {
  return { type: 'about:blank', title, status, detail, error: detail, code };
}

describe.each(doors)('POST /trigger/batch, through $door', ({ open }) => {
  const runs = [{ jobName: 'greet' }, { jobName: 'greet', input: 2, delay: '5m' }];

  it('passes the triggers on together, and answers with the ids and dispositions in order', async () => {
    const durably = fakeDurably();
    const response = await open(durably)(postJson('/trigger/batch', { runs }));
    const created = { runId: sampleRun.id, disposition: 'created' };
    expect(await response.json()).toEqual({ runs: [created, created] });
    expect(durably.calls).toEqual([
      { method: 'batchTriggerForIds', args: [[{ jobName: 'greet', input: {} }, runs[1]]] },
    ]);
  });

  it('asks about each trigger, gives each key its scope, and asks about runs that were there already', async () => {
    const durably = fakeDurably({
      batchTriggerForIds: async (requests) =>
        requests.map(() => ({ runId: 'run_1', toRun: () => sampleRun, disposition: 'idempotent' as const })),
    });
    const onTrigger = vi.fn();
    const onRunAccess = vi.fn();
    const auth = { authenticate, onTrigger, onRunAccess, scopeKeys: () => 'ada' };
    const response = await open(durably, { auth })(postJson('/trigger/batch', { runs }));
    expect(response.status).toBe(200);
    expect(onTrigger.mock.calls.map(([, { input }]) => input)).toEqual([{}, 2]);
    expect(onRunAccess).toHaveBeenCalledTimes(2);
    expect(durably.calls[0]?.args[0]).toMatchObject([{ keyScope: 'ada' }, { keyScope: 'ada' }]);
  });

  it('keeps the ids of all other triggers if the caller may not see a run that was there already', async () => {
    const thrown: Record<string, unknown> = {
      run_1: new RequestError('FORBIDDEN', 'Not yours'),
      run_2: new Response('no', { status: 404 }),
      run_3: new Error('secret'),
      run_4: undefined,
    };
    const ids = ['run_0', ...Object.keys(thrown)];
    const durably = fakeDurably({
      batchTriggerForIds: async () =>
        ids.map((id, i) => ({
          runId: id,
          toRun: () => ({ ...sampleRun, id }),
          disposition: i === 0 ? ('created' as const) : ('idempotent' as const),
        })),
    });
    const auth = {
      authenticate,
      onRunAccess: (_: unknown, { id }: { id: string }) => {
        if (thrown[id] !== undefined) throw thrown[id];
      },
    };
    const onError = vi.fn();
    const response = await open(durably, { auth, onError })(postJson('/trigger/batch', { runs }));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      runs: [
        { runId: 'run_0', disposition: 'created' },
        { error: problem(403, 'Forbidden', 'FORBIDDEN', 'Not yours') },
        { error: problem(404, 'Not Found', 'NOT_FOUND', 'Not Found') },
        { error: problem(500, 'Internal Server Error', 'INTERNAL', 'Internal server error') },
        { runId: 'run_4', disposition: 'idempotent' },
      ],
    });
    expect(onError.mock.calls.map(([error]) => error)).toEqual([thrown.run_3]);
  });

  it.each([
    [{}, 'runs is required'],
    [{ runs: 'all' }, 'runs must be a list'],
    [{ runs: [{ jobName: 'greet', priorities: 1 }] }, 'did you mean "priority"?'],
    [{ runs: [{ jobName: 'greet' }, { input: 1 }] }, 'Run 1 of the batch: jobName is required'],
    [{ runs: [{ jobName: 'greet' }, 5] }, 'Run 1 of the batch: The body must be a JSON object'],
    [
      { runs: Array.from({ length: 1001 }, () => ({ jobName: 'g' })) },
      'runs must have at most 1000 elements',
    ],
  ])('names what is wrong: %j', async (body, message) => {
    const durably = fakeDurably();
    const { status, body: problem } = await readProblem(
      await open(durably)(postJson('/trigger/batch', body)),
    );
    expect([status, problem.code]).toEqual([400, 'VALIDATION']);
    expect(problem.detail).toContain(message);
    expect(durably.calls).toEqual([]);
  });
});
