import { Webhook } from 'standardwebhooks';
import { expect } from 'vitest';
import type { Durably, Run } from '../../../src/index.ts';
import { webhooksWith } from '../../../src/plugins/webhooks/create-webhooks.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo } from '../../support/jobs.ts';
import { OTHER_SECRET, receiver, SECRET } from '../../support/net/receiver.ts';
import { untilStatus } from '../../support/runs.ts';
import { until } from '../../support/until.ts';

const JOB = 'durably:webhook';
const HOUR_MS = 3_600_000;

/** Triggers a run and returns its delivery, once that has this status. */
async function deliveryOf(durably: Durably, status: Run['status'], input: unknown = 1): Promise<Run> {
  const { id } = await durably.trigger({ jobName: 'echo', input });
  return await until(async () => {
    const runs = await durably.getRuns({ jobName: JOB, status });
    return runs.find(({ payload }) => (payload as { runId: string }).runId === id);
  }, `a delivery that is ${status}`);
}

/** Why its last try has failed. */
async function lastFailure(durably: Durably, runId: string): Promise<string | null | undefined> {
  const rows = await durably.db
    .selectFrom('durably_journal')
    .select('message')
    .where('run_id', '=', runId)
    .where('message', 'is not', null)
    .orderBy('sequence', 'desc')
    .execute();
  return rows[0]?.message;
}

contract(
  'a receiver of webhooks',
  (test) => {
    test('can verify them as Standard Webhooks says', async ({ world }) => {
      const { received, webhooks } = await receiver();
      const { durably } = await world.start({ webhooks: webhooks() });
      durably.register({ echo });
      await deliveryOf(durably, 'completed', { text: 'ü' });
      const [one] = received;
      if (one === undefined) throw new Error('nothing was received');
      expect(new Webhook(SECRET).verify(one.text, one.headers)).toEqual(one.body);
      expect(() => new Webhook(OTHER_SECRET).verify(one.text, one.headers)).toThrow();
      expect(() => new Webhook(SECRET).verify(`${one.text} `, one.headers)).toThrow();
    });

    test('can verify them by either secret while one replaces the other', async ({ world }) => {
      const { received, webhooks } = await receiver();
      const { durably } = await world.start({ webhooks: webhooks({ secret: [OTHER_SECRET, SECRET] }) });
      durably.register({ echo });
      await deliveryOf(durably, 'completed');
      const [one] = received;
      if (one === undefined) throw new Error('nothing was received');
      expect(one.headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/);
      for (const secret of [SECRET, OTHER_SECRET]) new Webhook(secret).verify(one.text, one.headers);
    });

    test('gets the same id and body at each try, until it answers with a success', async ({ world }) => {
      const { received, webhooks } = await receiver((response, { index }) =>
        response.writeHead([500, 404, 202][index] ?? 500).end('a body'),
      );
      const { durably } = await world.start({ webhooks: webhooks(), pollingInterval: 25 });
      const tools = await world.tools();
      durably.register({ echo });
      const { id } = await deliveryOf(durably, 'waiting');
      for (const tries of [1, 2]) {
        await until(() => received.length === tries);
        await untilStatus(durably, id, 'waiting');
        await tools.ageDue(id, HOUR_MS);
      }
      expect(await untilStatus(durably, id, 'completed')).toMatchObject({ output: { status: 202 } });
      expect(received.map(({ headers }) => headers['webhook-id'])).toEqual([id, id, id]);
      expect(new Set(received.map(({ text }) => text)).size).toBe(1);
      for (const { text, headers } of received) new Webhook(SECRET).verify(text, headers);
    });

    test('gets the pause that it asks for', async ({ world }) => {
      const { webhooks } = await receiver((response) =>
        response.writeHead(503, { 'retry-after': '7200' }).end(),
      );
      const { durably } = await world.start({ webhooks: webhooks() });
      durably.register({ echo });
      const run = await deliveryOf(durably, 'waiting');
      const pauseMs = Date.parse(run.waits[0]?.until ?? '') - Date.parse(run.startedAt ?? '');
      expect(pauseMs).toBeGreaterThanOrEqual(2 * HOUR_MS);
    });

    test('is told no more after it answered 410', async ({ world }) => {
      const { received, webhooks, host } = await receiver((response) => response.writeHead(410).end());
      const { durably } = await world.start({ webhooks: webhooks() });
      durably.register({ echo });
      expect(await deliveryOf(durably, 'failed')).toMatchObject({
        error: `${host} answered 410: it wants no more webhooks`,
        failedStepName: 'deliver',
      });
      expect(received).toHaveLength(1);
    });

    test('can’t send them elsewhere by a redirect', async ({ world }) => {
      const other = await receiver();
      const { webhooks, host } = await receiver((response) =>
        response.writeHead(307, { location: other.url }).end(),
      );
      const { durably } = await world.start({ webhooks: webhooks() });
      durably.register({ echo });
      const { id } = await deliveryOf(durably, 'waiting');
      expect(await lastFailure(durably, id)).toBe(`${host} answered 307`);
      expect(other.received).toEqual([]);
    });

    test('has 15 seconds to answer, and is left alone for a while if it does not', async ({ world }) => {
      const hanging: unknown[] = [];
      const { received, webhooks } = await receiver((response) => void hanging.push(response));
      const clock = new FakeClock();
      const { durably } = await world.start({ webhooks: webhooks(), clock });
      durably.register({ echo });
      await durably.trigger({ jobName: 'echo', input: 1 });
      await until(() => received.length === 1);
      const delivery = async () => (await durably.getRuns({ jobName: JOB })).at(-1);
      clock.advance(14_999);
      await idle();
      expect((await delivery())?.status).toBe('running');
      clock.advance(1);
      await until(async () => (await delivery())?.status === 'waiting');
      const { id } = await durably.trigger({ jobName: 'echo', input: 2 });
      await untilStatus(durably, id, 'completed');
      await until(async () => (await durably.getRuns({ jobName: JOB, status: 'waiting' })).length === 2);
      expect(received).toHaveLength(1);
    });

    test('can’t keep a connection by an endless answer', async ({ world }) => {
      let closed = false;
      const { webhooks } = await receiver((response) => {
        response.on('close', () => {
          closed = true;
        });
        response.writeHead(200);
        const more = () => {
          if (!closed) response.write(Buffer.alloc(16_384), more);
        };
        more();
      });
      const { durably } = await world.start({ webhooks: webhooks() });
      durably.register({ echo });
      expect(await deliveryOf(durably, 'completed')).toMatchObject({ output: { status: 200 } });
      await until(() => closed);
    });

    test('gets no more than 256 KiB, and is told what was left out', async ({ world }) => {
      const { received, webhooks } = await receiver();
      const { durably } = await world.start({ webhooks: webhooks() });
      durably.register({ echo });
      await deliveryOf(durably, 'completed', 'x'.repeat(200_000));
      await deliveryOf(durably, 'completed', 'x'.repeat(300_000));
      expect(received.map(({ body: { data } }) => [data.omitted, data.output === null])).toEqual([
        [['output'], true],
        [['output', 'payload'], true],
      ]);
      for (const { text } of received) expect(text.length).toBeLessThan(256 * 1024);
    });

    test('is found nowhere but by its host: neither its address nor its secret', async ({ world }) => {
      const lines: unknown[] = [];
      const note = (...line: unknown[]) => void lines.push(line);
      const { webhooks, url, host } = await receiver((response) => response.writeHead(410).end());
      const given = webhooks({ url: `${url}/token-in-path`, secret: [SECRET, OTHER_SECRET] });
      const { durably } = await world.start({
        webhooks: given,
        logger: { info: note, warn: note, error: note },
        use: [{ name: 'listener', onEvent: note }],
      });
      durably.register({ echo });
      const { id } = await deliveryOf(durably, 'failed');
      const tables = await Promise.all(
        (['durably_runs', 'durably_journal', 'durably_steps'] as const).map((table) =>
          durably.db.selectFrom(table).selectAll().execute(),
        ),
      );
      const shown = JSON.stringify([
        lines,
        tables,
        await durably.db
          .selectFrom('durably_webhooks' as 'durably_runs')
          .selectAll()
          .execute(),
        await durably.getRun(id),
        await durably.getSteps(id),
        await durably.getJobs(),
        given,
      ]);
      expect(shown).toContain(host);
      for (const secret of ['token-in-path', SECRET.slice(6), OTHER_SECRET.slice(6)]) {
        expect(shown).not.toContain(secret);
      }
    });

    test('is sent nothing if its name leads to an address that is not public', async ({ world }) => {
      const { received, host } = await receiver();
      const port = host.split(':')[1];
      const asked: string[] = [];
      const webhooks = webhooksWith(
        { endpoints: [{ url: `http://rebind.example:${port}/`, secret: SECRET }] },
        {
          resolveHost: async (name) => {
            asked.push(name);
            return [{ address: '127.0.0.1', family: 4 }];
          },
        },
      );
      const { durably } = await world.start({ webhooks });
      durably.register({ echo });
      expect(await deliveryOf(durably, 'failed')).toMatchObject({
        error: `rebind.example:${port} has an address that is not public, and is not allowed by name`,
      });
      expect(asked).toEqual(['rebind.example']);
      expect(received).toEqual([]);
    });

    test('of a webhook that no process has is tried later', async ({ world }) => {
      const [first, second] = [await receiver(), await receiver()];
      const { durably: caller } = await world.idle({ webhooks: first.webhooks() });
      caller.register({ echo });
      const { id } = await caller.trigger({ jobName: 'echo', input: 1, delay: '1h' });
      await caller.cancel(id);
      const { durably } = await world.start({ webhooks: second.webhooks() });
      const delivery = await until(
        async () => (await durably.getRuns({ jobName: JOB, status: 'waiting' }))[0],
      );
      expect(await lastFailure(durably, delivery.id)).toBe(
        `this process has no such webhook of ${first.host}`,
      );
      expect(second.received).toEqual([]);
    });
  },
  ({ name }) => name === "the service's own on a file",
);
