import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { echo } from '../../support/jobs.ts';
import { nextEvent, rejectionOf, untilStatus } from '../../support/runs.ts';

const HOUR_MS = 3_600_000;

contract('a run that is triggered for later', (test) => {
  test('waits for its delay, and is executed when it is over', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const tools = await world.tools();
    const handle = durably.register({ echo }).echo;
    const triggered = nextEvent(durably, 'run:trigger');
    const run = await handle.trigger('late', { delay: '1h' });
    expect(run).toMatchObject({
      status: 'waiting',
      isActive: true,
      startedAt: null,
      attempt: 0,
      waits: [{ kind: 'delay', stepName: null, until: expect.any(String) }],
    });
    const { until } = run.waits[0] ?? { until: null };
    expect(Date.parse(until ?? '') - Date.parse(run.createdAt)).toBe(HOUR_MS);
    expect(await triggered).toMatchObject({ runAt: until });
    expect(await durably.getRun(run.id)).toEqual(run);
    await tools.ageDue(run.id, HOUR_MS);
    expect(await untilStatus(durably, run.id, 'completed')).toMatchObject({
      output: 'late',
      attempt: 1,
      waits: [],
    });
  });

  test('waits until the time that it was given', async ({ world }) => {
    const { durably } = await world.start();
    const handle = durably.register({ echo }).echo;
    const runAt = '2100-01-01T00:00:00.000Z';
    const runs = [
      await handle.trigger(0, { runAt }),
      await handle.trigger(0, { runAt: new Date(runAt) }),
      await durably.trigger({ jobName: 'echo', input: 0, runAt: '2100-01-01T01:00:00+01:00' }),
    ];
    expect(runs.map(({ waits }) => waits[0]?.until)).toEqual([runAt, runAt, runAt]);
  });

  test('does not wait for a time that is over', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const handle = durably.register({ echo }).echo;
    const run = await handle.trigger('now', { runAt: '2020-01-01T00:00:00Z' });
    expect(run).toMatchObject({ status: 'pending', waits: [] });
    await untilStatus(durably, run.id, 'completed');
  });

  test('is returned to a second trigger with its idempotency key', async ({ world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const first = await handle.trigger(1, { delay: '1h', idempotencyKey: 'key' });
    expect(await handle.trigger(2, { idempotencyKey: 'key' })).toEqual(first);
    expect(await handle.trigger(2, { delay: '2h', idempotencyKey: 'key' })).toEqual(first);
  });

  test('may be in a batch with runs that are due', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const handle = durably.register({ echo }).echo;
    const runs = await handle.batchTrigger([{ input: 1, options: { delay: '1h' } }, { input: 2 }]);
    expect(runs.map(({ status }) => status)).toEqual(['waiting', 'pending']);
    await untilStatus(durably, runs[1]?.id ?? '', 'completed');
    expect((await durably.getRun(runs[0]?.id ?? ''))?.status).toBe('waiting');
  });

  test.for([
    [
      { delay: '1 hour' },
      "delay must be a duration of at most ten years, such as 500 (ms), '30s', '5m', '2h' or '7d', not \"1 hour\"",
    ],
    [{ delay: -1 }, /^delay must be a duration .* not -1$/],
    [
      { runAt: '2026-01-01' },
      /^runAt must be a Date or an ISO 8601 time with a time zone, not "2026-01-01"$/,
    ],
    [{ runAt: 5 }, /^runAt must be a Date or an ISO 8601 time/],
    [{ delay: 1, runAt: '2100-01-01T00:00:00Z' }, 'delay 1 does not go with runAt "2100-01-01T00:00:00Z"'],
  ] as const)('is refused for %j', async ([options, message], { world }) => {
    const { durably } = await world.idle();
    const handle = durably.register({ echo }).echo;
    const refusal = await rejectionOf(handle.trigger(0, options as never));
    expect(refusal).toMatchObject({ code: 'VALIDATION' });
    expect(refusal.message).toMatch(message);
    expect(await durably.getRuns()).toEqual([]);
  });
});
