import { describe, expect, it, vi } from 'vitest';
import { ConflictError, NotFoundError } from '../../src/core/errors/errors.ts';
import { ada, authenticate } from './auth/ada.ts';
import { doors, readProblem, requestTo } from './doors.ts';
import { fakeDurably, sampleSchedule } from './fake-durably.ts';

const put = (query: string, body: unknown) =>
  requestTo(`/schedule${query}`, { method: 'PUT', body: JSON.stringify(body) });

describe.each(doors)('through $door', ({ open }) => {
  it('a schedule is put by the id in the query and the rest in the body', async () => {
    const durably = fakeDurably();
    const body = {
      jobName: 'greet',
      input: { name: 'Ada' },
      cron: '30 2 * * *',
      timezone: 'Europe/Berlin',
      missed: 'once',
      overlap: 'cancel',
      startAt: '2030-01-01T00:00:00Z',
      labels: { org: '7' },
      priority: 4,
      every: null,
    };
    const response = await open(durably)(put('?id=nightly', body));
    expect([response.status, await response.json()]).toEqual([200, sampleSchedule]);
    const { every: _, ...given } = body;
    expect(durably.calls).toEqual([{ method: 'schedule', args: [{ id: 'nightly', ...given }] }]);
  });

  it.each([
    ['', { jobName: 'greet', cron: '@daily' }, 'id query parameter is required'],
    ['?id=a&id=b', { jobName: 'greet', cron: '@daily' }, 'id must be given once, not 2 times'],
    [`?id=${'i'.repeat(257)}`, { jobName: 'greet', cron: '@daily' }, 'id must have 1 to 256 characters'],
    ['?id=a', { cron: '@daily' }, 'jobName is required'],
    ['?id=a', { jobName: 'greet', cron: 5 }, 'cron must be a cron expression, not 5'],
    ['?id=a', { jobName: 'greet', every: true }, 'every must be a duration'],
    ['?id=a', { jobName: 'greet', missed: 'some' }, 'missed must be one of skip, once, all, not "some"'],
    [
      '?id=a',
      { jobName: 'greet', overlap: 'wait' },
      'overlap must be one of allow, skip, cancel, not "wait"',
    ],
    [
      '?id=a',
      { jobName: 'greet', priority: 2_000 },
      'priority must be a whole number from -1000 to 1000, not 2000',
    ],
    [
      '?id=a',
      { jobName: 'greet', croon: '@daily' },
      'Unknown member of the body "croon"; did you mean "cron"?',
    ],
    ['?id=a', { id: 'b', jobName: 'greet' }, 'Unknown member of the body "id"'],
  ])('refuses PUT /schedule%s with %j', async (query, body, message) => {
    const durably = fakeDurably();
    const problem = await readProblem(await open(durably)(put(query, body)));
    expect(problem.status).toBe(400);
    expect(problem.body.detail).toContain(message);
    expect(durably.calls).toEqual([]);
  });

  it('all schedules are listed as an array', async () => {
    const response = await open(fakeDurably())(requestTo('/schedules'));
    expect([response.status, await response.json()]).toEqual([200, [sampleSchedule]]);
  });

  it.each([
    ['DELETE', '/schedule', 'deleteSchedule', { success: true }],
    ['POST', '/schedule/pause', 'pauseSchedule', { success: true }],
    ['POST', '/schedule/resume', 'resumeSchedule', { success: true }],
    ['POST', '/schedule/fire', 'fireSchedule', { success: true, runId: 'run_2' }],
  ] as const)('%s %s calls %s with the id', async (method, path, called, answer) => {
    const durably = fakeDurably();
    const send = open(durably);
    const response = await send(requestTo(`${path}?id=nightly`, { method }));
    expect([response.status, await response.json()]).toEqual([200, answer]);
    expect(durably.calls).toEqual([{ method: called, args: ['nightly'] }]);
    const unknown = fakeDurably({
      [called]: async () => {
        throw new NotFoundError('Schedule not found');
      },
    });
    expect((await open(unknown)(requestTo(`${path}?id=x`, { method }))).status).toBe(404);
  });

  it('the schedule of a definition is a conflict', async () => {
    const durably = fakeDurably({
      deleteSchedule: async () => {
        throw new ConflictError('fixed');
      },
    });
    expect((await open(durably)(requestTo('/schedule?id=a', { method: 'DELETE' }))).status).toBe(409);
  });

  it('runs are listed by the schedule that made them', async () => {
    const durably = fakeDurably();
    await open(durably)(requestTo('/runs?scheduleId=nightly&limit=5'));
    expect(durably.calls).toMatchObject([{ method: 'getRuns', args: [{ scheduleId: 'nightly', limit: 5 }] }]);
  });

  it('onManage decides on all of it, with what is to be done', async () => {
    const onManage = vi.fn();
    const send = open(fakeDurably(), { auth: { authenticate, onManage } });
    await send(put('?id=nightly', { jobName: 'greet', cron: '@daily', input: 1 }));
    await send(requestTo('/schedules'));
    await send(requestTo('/schedule?id=a', { method: 'DELETE' }));
    for (const command of ['pause', 'resume', 'fire']) {
      await send(requestTo(`/schedule/${command}?id=a`, { method: 'POST' }));
    }
    expect(onManage.mock.calls).toEqual([
      [
        ada,
        {
          operation: 'schedule',
          scheduleId: 'nightly',
          schedule: { id: 'nightly', jobName: 'greet', cron: '@daily', input: 1 },
        },
      ],
      [ada, { operation: 'schedules' }],
      [ada, { operation: 'delete-schedule', scheduleId: 'a' }],
      [ada, { operation: 'pause-schedule', scheduleId: 'a' }],
      [ada, { operation: 'resume-schedule', scheduleId: 'a' }],
      [ada, { operation: 'fire-schedule', scheduleId: 'a' }],
    ]);
  });

  it('a service that keeps callers apart and has no onManage shows and changes no schedules', async () => {
    const durably = fakeDurably();
    const send = open(durably, { auth: { authenticate, onTrigger: () => {} } });
    const requests = [
      requestTo('/schedules'),
      put('?id=nightly', { jobName: 'greet', cron: '@daily' }),
      requestTo('/schedule/fire?id=a', { method: 'POST' }),
    ];
    for (const request of requests) expect((await send(request)).status).toBe(403);
    expect(durably.calls).toEqual([]);
  });
});
