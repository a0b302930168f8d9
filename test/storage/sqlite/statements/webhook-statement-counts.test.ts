import { sql } from 'kysely';
import { expect } from 'vitest';
import { createWebhooks } from '../../../../src/webhooks.ts';
import { contract } from '../../../support/contract.ts';
import { echo } from '../../../support/jobs.ts';
import { receiver, SECRET } from '../../../support/net/receiver.ts';
import { nextEvent, untilEnded } from '../../../support/runs.ts';
import type { InstanceOptions, World } from '../../../support/world.ts';
import { counted } from './counted.ts';

/** The statements of a run from its trigger to its end, without their parameters. */
async function statementsOfRun(world: World, options: InstanceOptions) {
  const { durably, during } = await counted(world, { pollingInterval: 1_000_000, ...options });
  const { echo: handle } = durably.register({ echo });
  const made = await during(async () => {
    const ended = nextEvent(durably, 'run:complete');
    await handle.trigger(1);
    await ended;
  });
  return { durably, texts: made.map(({ sql: text }) => text) };
}

const partsOf = async (world: World) => {
  const { durably } = await world.idle();
  return (await sql<{ name: string }>`select name from sqlite_master`.execute(durably.db)).rows.map(
    ({ name }) => name,
  );
};

contract('webhooks', (test) => {
  test('cost nothing where there are none: no table, no trigger, no statement', async ({ world }) => {
    const none = await statementsOfRun(world, {});
    const empty = await statementsOfRun(world.another(), { webhooks: createWebhooks({}) });
    expect(empty.texts).toEqual(none.texts);
    const names = await partsOf(world);
    expect(names.filter((name) => /webhook|announced|delivered/.test(name))).toEqual([]);
  });

  test('add no statement to a run that none of them is about', async ({ world }) => {
    const { webhooks } = await receiver();
    const with_ = await statementsOfRun(world.another(), { webhooks: webhooks({ jobs: ['other'] }) });
    const without = await statementsOfRun(world, {});
    expect(with_.texts).toHaveLength(without.texts.length);
  });

  test('store their deliveries in the statement that ends the run, and the next claim takes them', async ({
    world,
  }) => {
    const { received, webhooks } = await receiver();
    const { durably, during } = await counted(world, {
      pollingInterval: 1_000_000,
      webhooks: webhooks(),
      maxConcurrentRuns: 1,
    });
    const { echo: handle } = durably.register({ echo });
    const made = await during(async () => {
      const { id } = await handle.trigger(1);
      await untilEnded(durably, id);
      await nextEvent(durably, 'run:complete');
    });
    expect(received).toHaveLength(1);
    // Nothing but the schema's trigger knows of deliveries.
    expect(made.filter(({ sql: text }) => /insert into durably_runs/.test(text))).toHaveLength(1);
    expect(made.filter(({ sql: text }) => text.includes('durably_webhooks'))).toEqual([]);
  });

  test('are forgotten when the next process has none', async ({ world }) => {
    const { webhooks } = await receiver();
    await world.idle({ webhooks: webhooks() });
    const { durably } = await world.start({ webhooks: createWebhooks({}) });
    const { echo: handle } = durably.register({ echo });
    const run = await handle.trigger(1);
    await untilEnded(durably, run.id);
    expect(await durably.getRuns({ jobName: 'durably:webhook' })).toEqual([]);
    const one = createWebhooks({ endpoints: [{ url: 'https://example.com/', secret: SECRET }] });
    await world.idle({ webhooks: one });
    const stored = await sql<{ endpoints: string }>`select endpoints from durably_webhooks`.execute(
      durably.db,
    );
    expect(JSON.parse(stored.rows[0]?.endpoints ?? '')).toEqual([
      {
        id: one.endpoints[0]?.id,
        host: 'example.com',
        events: ['run.completed', 'run.failed', 'run.cancelled'],
        jobs: null,
      },
    ]);
  });
});
