import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createApiKeys } from '../../src/app/api-keys.ts';
import { createDurablyApp } from '../../src/app/create-app.ts';
import { createMetrics } from '../../src/plugins/metrics/metrics.ts';
import { fakeDurably } from '../http/fake-durably.ts';
import { backends } from '../support/backends.ts';
import { echo, job } from '../support/jobs.ts';
import { receiver } from '../support/net/receiver.ts';
import { untilStatus } from '../support/runs.ts';
import { until } from '../support/until.ts';
import { type InstanceOptions, World } from '../support/world.ts';
import { parseMetrics } from './prometheus-text.ts';

/** An instance with metrics, on a database of its own. */
async function watched(options: InstanceOptions = {}) {
  const [, backend] = backends;
  if (backend === undefined) throw new Error('no backend');
  const world = new World(backend);
  onTestFinished(() => world.dispose());
  const metrics = createMetrics({ process: false });
  const { durably } = await world.start({ ...options, use: [metrics.plugin] });
  metrics.watch(durably);
  const read = async () => {
    const families = parseMetrics(await metrics.text());
    const samples = new Map([...families.values()].flatMap(({ samples }) => [...samples]));
    return (id: string) => samples.get(id);
  };
  return { world, durably, metrics, read };
}

describe('the metrics', () => {
  test('count what was done', async () => {
    const { durably, read, world } = await watched({ maxConcurrentRuns: 2 });
    const tools = await world.tools();
    const elsewhere = job('elsewhere', () => 1);
    durably.register({
      echo,
      flaky: job('flaky', async (step) => {
        await step.run('once', () => 1);
        await step.run('twice', { retries: { limit: 1, delay: 1 } }, (_signal, { attempt }) => {
          if (attempt === 1) throw new Error('not yet');
        });
      }),
      fails: job('fails', (step) => step.run('bad', () => Promise.reject(new Error('no')))),
      sleeps: job('sleeps', async (step) => {
        await step.sleep('night', '8h');
        return await step.trigger('tell', elsewhere, 'x');
      }),
    });
    for (let i = 0; i < 3; i++) await durably.jobs.echo?.triggerAndWait(i);
    const flaky = await durably.trigger({ jobName: 'flaky', input: 0 });
    const fails = await durably.trigger({ jobName: 'fails', input: 0 });
    const sleeps = await durably.trigger({ jobName: 'sleeps', input: 0 });
    await untilStatus(durably, flaky.id, 'completed');
    await untilStatus(durably, fails.id, 'failed');
    await untilStatus(durably, sleeps.id, 'waiting');
    const early = await read();
    expect(early('durably_active_runs job=sleeps status=waiting')).toBe(1);
    expect(early('durably_runs_total job=sleeps status=completed')).toBeUndefined();
    await tools.ageStart(sleeps.id, 3_600_000);
    await tools.ageDue(sleeps.id, 9 * 3_600_000);
    await untilStatus(durably, sleeps.id, 'completed');
    const cancelled = await durably.trigger({ jobName: 'echo', input: 0, delay: '1h' });
    await durably.cancel(cancelled.id);
    await until(
      async () => (await read())('durably_runs_total job=sleeps status=completed') === 1,
      'the end',
    );
    const sample = await read();
    const expected = {
      'durably_runs_triggered_total job=echo': 4,
      'durably_runs_triggered_total job=other': 1,
      'durably_runs_total job=echo status=completed': 3,
      'durably_runs_total job=echo status=cancelled': 1,
      'durably_runs_total job=flaky status=completed': 1,
      'durably_runs_total job=fails status=failed': 1,
      'durably_run_duration_seconds_count job=echo status=completed': 3,
      'durably_run_duration_seconds_count job=fails status=failed': 1,
      'durably_run_wait_seconds_count job=echo': 3,
      'durably_run_wait_seconds_count job=sleeps': 1,
      'durably_steps_total job=flaky status=completed': 2,
      'durably_steps_total job=fails status=failed': 1,
      'durably_step_retries_total job=flaky': 1,
      'durably_step_duration_seconds_count job=flaky': 2,
      durably_leases_lost_total: 0,
      'durably_active_runs job=sleeps status=waiting': 0,
      'durably_active_runs job=other status=pending': 1,
      durably_slots: 2,
      durably_slots_in_use: 0,
      durably_database_up: 1,
      'durably_database_failures_total kind=write': 0,
      durably_database_renewals_total: 0,
    };
    const found = Object.keys(expected).map((id) => [id, sample(id)]);
    expect(Object.fromEntries(found)).toEqual(expected);
    // From its first start on, also for what was before its last execution.
    const seconds = sample('durably_run_duration_seconds_sum job=sleeps status=completed') ?? 0;
    expect(Math.round(seconds / 3600)).toBe(1);
    const writes = sample('durably_database_request_seconds_count kind=write') ?? 0;
    expect(writes).toBeGreaterThan(10);
    expect(sample('durably_write_group_size_count')).toBe(writes);
    expect(sample('durably_database_request_seconds_count kind=read')).toBeGreaterThan(5);
  });

  test('show the line and the streams', async () => {
    const { durably, read } = await watched();
    await durably.stop();
    durably.register({ echo });
    const { id } = await durably.trigger({ jobName: 'echo', input: 0 });
    await durably.trigger({ jobName: 'echo', input: 1 });
    const feed = await durably.openRunListFeed();
    expect((await read())('durably_streams')).toBe(1);
    feed.cursor.close();
    const sample = await read();
    expect(sample('durably_streams')).toBe(0);
    expect(sample('durably_active_runs job=echo status=pending')).toBe(2);
    expect(sample('durably_oldest_pending_seconds job=echo')).toBeLessThan(60);
    await durably.db
      .updateTable('durably_runs')
      .set((eb) => ({ updated_at: eb('updated_at', '-', 600_000) }))
      .where('id', '=', id)
      .execute();
    expect((await read())('durably_oldest_pending_seconds job=echo')).toBeGreaterThanOrEqual(600);
  });

  test('count a takeover, and a run that was lost', async () => {
    const { durably, read, world } = await watched({ heartbeatInterval: 40, staleThreshold: 60_000 });
    const tools = await world.tools();
    const others = createMetrics({ process: false });
    const { durably: other } = await world.idle({ staleThreshold: 60_000, use: [others.plugin] });
    others.watch(other);
    let release: () => void = () => undefined;
    const hangs = job('hangs', (step) =>
      step.run('hang', () => new Promise<void>((resolve) => (release = resolve))),
    );
    durably.register({ hangs });
    const { id } = await durably.trigger({ jobName: 'hangs', input: 0 });
    await untilStatus(durably, id, 'running');
    await tools.ageHeartbeat(id, 61_000);
    const quick = job('hangs', () => 'taken over');
    other.register({ hangs: quick });
    await until(async () => {
      await tools.ageHeartbeat(id, 61_000);
      await other.processUntilIdle();
      return (await other.getRun(id))?.status === 'completed';
    }, 'the takeover');
    release();
    await until(async () => (await read())('durably_leases_lost_total') === 1, 'the lost lease');
    expect((await read())('durably_worker_errors_total context=lease')).toBe(1);
    const takenOver = parseMetrics(await others.text()).get('durably_takeovers_total');
    expect(takenOver?.samples).toEqual(new Map([['durably_takeovers_total job=hangs', 1]]));
  });

  test('count what became of deliveries, under a job of their own', async () => {
    const { received, webhooks } = await receiver((response, { index }) =>
      response.writeHead([204, 500][index] ?? 410).end(),
    );
    const { durably, read } = await watched({ webhooks: webhooks() });
    const before = await read();
    for (const outcome of ['delivered', 'retried', 'failed']) {
      expect(before(`durably_webhook_deliveries_total outcome=${outcome}`)).toBe(0);
    }
    expect(before('durably_active_runs job=durably:webhook status=pending')).toBe(0);
    durably.register({ echo });
    const untilCounted = async (outcome: string) =>
      await until(
        async () => (await read())(`durably_webhook_deliveries_total outcome=${outcome}`) === 1,
        outcome,
      );
    await durably.jobs.echo?.triggerAndWait(0);
    await untilCounted('delivered');
    await durably.jobs.echo?.triggerAndWait(1);
    await untilCounted('retried');
    const waiting = await until(async () => {
      const sample = await read();
      return sample('durably_active_runs job=durably:webhook status=waiting') === 1 ? sample : undefined;
    }, 'the next try');
    expect(waiting('durably_active_runs job=other status=waiting')).toBe(0);
    await durably.jobs.echo?.triggerAndWait(2);
    await untilCounted('failed');
    const sample = await read();
    expect(received).toHaveLength(3);
    expect(sample('durably_runs_total job=durably:webhook status=completed')).toBe(1);
    expect(sample('durably_runs_total job=durably:webhook status=failed')).toBe(1);
    expect(sample('durably_runs_total job=other status=failed')).toBeUndefined();
  });

  test('count no lost lease when the database is closed', async () => {
    const { durably, read } = await watched();
    const hangs = job('hangs', () => new Promise<never>(() => undefined));
    durably.register({ hangs });
    const { id } = await durably.trigger({ jobName: 'hangs', input: 0 });
    await untilStatus(durably, id, 'running');
    await durably.db.destroy();
    await until(() => durably.countRunning() === 0, 'the end of the run');
    const sample = await read();
    expect(sample('durably_leases_lost_total')).toBe(0);
    expect(sample('durably_worker_errors_total context=lease')).toBeUndefined();
    expect(sample('durably_worker_errors_total context=database')).toBeGreaterThan(0);
    expect(sample('durably_database_up')).toBe(0);
  });

  test('say nothing of an instance that they do not watch, and the same through the registry', async () => {
    const metrics = createMetrics({ process: false });
    const unwatched = parseMetrics(await metrics.text());
    const ofInstance = [
      'database_up',
      'slots',
      'slots_in_use',
      'streams',
      'active_runs',
      'oldest_pending_seconds',
    ];
    for (const name of ofInstance) expect(unwatched.get(`durably_${name}`)?.samples.size ?? 0).toBe(0);
    let asked = 0;
    metrics.watch({
      getJob: () => undefined,
      getVitals() {
        asked++;
        return Promise.reject(new Error('away'));
      },
    });
    // As an app does that has a registry of its own.
    const merged = parseMetrics(await Registry.merge([metrics.registry]).metrics());
    expect(merged.get('durably_database_up')?.samples).toEqual(new Map([['durably_database_up', 0]]));
    expect(asked).toBe(1);
  });

  test('come without what the database would have to tell, if it does not', async () => {
    const { durably, metrics, read } = await watched();
    durably.register({ echo });
    await durably.jobs.echo?.triggerAndWait(0);
    const getVitals = async () => ({ ...(await durably.getVitals()), jobs: null, otherJobs: null });
    metrics.watch({ getJob: () => undefined, getVitals });
    const sample = await read();
    expect(sample('durably_database_up')).toBe(0);
    expect(sample('durably_slots')).toBe(durably.countRunning() + 1);
    expect(sample('durably_runs_total job=echo status=completed')).toBe(1);
  });

  test('include the process, with the lag of its event loop, and metrics of the user', async () => {
    const metrics = createMetrics();
    const { Counter } = await import('prom-client');
    new Counter({ name: 'mine_total', help: 'Mine', registers: [metrics.registry] }).inc();
    const families = parseMetrics(await metrics.text());
    expect(families.get('nodejs_eventloop_lag_p99_seconds')?.type).toBe('gauge');
    expect(families.get('mine_total')?.samples).toEqual(new Map([['mine_total', 1]]));
    metrics.registry.clear();
  });
});

describe('/metrics', () => {
  const KEY = 'k'.repeat(16);

  test('answers in the text format, to GET alone, and behind a key if there are keys', async () => {
    const metrics = createMetrics({ process: false });
    const open = createDurablyApp(fakeDurably(), { metrics });
    const answer = await open.request('/metrics');
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ]);
    expect(parseMetrics(await answer.text()).get('durably_runs_total')?.type).toBe('counter');
    expect((await open.request('/metrics', { method: 'POST' })).status).toBe(405);
    const apiKeys = await createApiKeys([{ name: 'prometheus', key: KEY }]);
    const keyed = createDurablyApp(fakeDurably(), { metrics, apiKeys });
    expect((await keyed.request('/metrics')).status).toBe(401);
    const authorization = `Bearer ${KEY}`;
    expect((await keyed.request('/metrics', { headers: { authorization } })).status).toBe(200);
    expect((await createDurablyApp(fakeDurably()).request('/metrics')).status).toBe(404);
  });
});

describe('the documentation of the metrics', () => {
  const text = (path: string) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8');

  test('names each of them, and only these, as the dashboard does', async () => {
    const families = parseMetrics(await createMetrics({ process: false }).text());
    const namedIn = (path: string) =>
      new Set(
        [...text(path).matchAll(/durably_[a-z_]+/g)].map(([name]) =>
          name.replace(/_(bucket|sum|count)$/, ''),
        ),
      );
    expect([...namedIn('docs/operating.md')].sort()).toEqual([...families.keys()].sort());
    for (const name of namedIn('docs/grafana-dashboard.json')) expect([...families.keys()]).toContain(name);
  });
});
