import { expect } from 'vitest';
import { ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { rejectionOf, untilStatus } from '../../support/runs.ts';

const failing = job('failing', () => {
  throw new Error('failed');
});

contract('getStats', (test) => {
  test('counts what happened to runs, in all, by job and by time', async ({ world }) => {
    const { durably } = await world.start();
    const handles = durably.register({ echo, failing });
    const ended: string[] = [];
    for (const [handle, status, times] of [
      [handles.echo, 'completed', 3],
      [handles.failing, 'failed', 2],
    ] as const) {
      for (let i = 0; i < times; i++) {
        const { id } = await handle.trigger(i);
        await untilStatus(durably, id, status);
        ended.push(id);
      }
    }
    const later = await handles.echo.trigger(1, { delay: '1h' });
    await durably.cancel(later.id);
    const stats = await durably.getStats({ since: '1h', bucket: '1m' });
    const { asOf, since, total, buckets, jobs } = stats;
    expect(total).toMatchObject({ started: 5, completed: 3, failed: 2, cancelled: 1 });
    expect(jobs).toMatchObject([
      { jobName: 'echo', total: { started: 3, completed: 3, failed: 0, cancelled: 1 } },
      { jobName: 'failing', total: { started: 2, completed: 0, failed: 2, cancelled: 0 } },
    ]);
    for (const series of [stats, ...jobs]) {
      const sum = series.buckets.reduce((all, { completed, failed }) => all + completed + failed, 0);
      expect(sum).toBe(series.total.completed + series.total.failed);
    }
    for (const { at } of buckets) {
      expect(at.slice(16)).toBe(':00.000Z');
      expect(at >= since && at <= asOf).toBe(true);
    }
    expect(Date.parse(asOf) - Date.parse(since)).toBeGreaterThanOrEqual(3_600_000);
    // The longest of them took at least as long as the median.
    const { p50 = Number.NaN, p99 = Number.NaN } = total.duration ?? {};
    expect(p99).toBeGreaterThanOrEqual(p50);
    expect(await durably.getStats({ jobName: 'failing' })).toMatchObject({
      total: { failed: 2, completed: 0 },
      jobs: [{ jobName: 'failing' }],
    });
    expect(await durably.getStats({ jobName: [] })).toMatchObject({
      total: { started: 0, duration: null },
      buckets: [],
      jobs: [],
    });
    // Deleted runs stay counted.
    await durably.deleteRuns({ all: true });
    expect((await durably.getStats({ since: '1h', bucket: '1m' })).total).toEqual(total);
  });

  test('shows durations within 5 %', async ({ world }) => {
    const { durably } = await world.start();
    const tools = await world.tools();
    const handles = durably.register({ echo });
    for (const seconds of [10, 20, 3_600]) {
      const { id } = await handles.echo.trigger(1);
      await untilStatus(durably, id, 'completed');
      await tools.ageStart(id, seconds * 1_000);
    }
    const { duration } = (await durably.getStats()).total;
    expect(duration?.p50).toBeGreaterThan(19_000);
    expect(duration?.p50).toBeLessThan(21_500);
    expect(duration?.p95).toBe(duration?.p99);
    expect(duration?.p99).toBeGreaterThan(3_420_000);
    expect(duration?.p99).toBeLessThan(3_780_000);
  });

  test('takes a time or how long ago, and shows the last day by hours unless told otherwise', async ({
    world,
  }) => {
    const { durably } = await world.idle();
    const now = Date.now();
    for (const since of [
      new Date(now - 7_200_000),
      new Date(now - 7_200_000).toISOString(),
      '2h',
      7_200_000,
    ]) {
      const stats = await durably.getStats({ since, bucket: '1m' });
      expect(Math.abs(Date.parse(stats.since) - (now - 7_200_000))).toBeLessThanOrEqual(120_000);
    }
    const { bucket, since, asOf } = await durably.getStats();
    expect(bucket).toBe('1h');
    expect(since.slice(14)).toBe('00:00.000Z');
    expect(Math.round((Date.parse(asOf) - Date.parse(since)) / 3_600_000)).toBeGreaterThanOrEqual(24);
  });

  test.for([
    [{ jobNames: 'echo' }, /Unknown getStats option "jobNames"; did you mean "jobName"/],
    [{ jobName: 5 }, /^jobName must be a string or a list of strings, not 5$/],
    [{ bucket: '5m' }, /^bucket must be one of 1m, 1h, 1d, not "5m"$/],
    [{ since: 'yesterday' }, /^since must be a time .* or a duration such as '1h', not "yesterday"$/],
    [{ since: '5w' }, /^since must be a duration/],
    [{ since: -1 }, /^since must be a duration/],
    [
      { since: '26h', bucket: '1m' },
      /^since must be at most 25h ago with bucket 1m: more than 1500 buckets$/,
    ],
    [
      { since: '2026-01-01T00:00:00Z' },
      /^since must be at most 35d ago with bucket 1h: older ones are not kept$/,
    ],
    [{ since: '401d', bucket: '1d' }, /^since must be at most 400d ago/],
  ] as const)('refuses %j', async ([query, message], { world }) => {
    const { durably } = await world.idle();
    const error = await rejectionOf(durably.getStats(query as never));
    expect(error).toBeInstanceOf(ValidationError);
    expect(error.message).toMatch(message);
  });
});
