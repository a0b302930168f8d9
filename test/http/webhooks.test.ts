import { describe, expect, it, onTestFinished } from 'vitest';
import { openServiceDatabase } from '../../src/app/database.ts';
import { createDurably } from '../../src/create-durably.ts';
import { createWebhooks } from '../../src/webhooks.ts';
import { job } from '../support/jobs.ts';
import { SECRET } from '../support/net/receiver.ts';
import { doors, postJson, readProblem } from './doors.ts';

/** An instance in memory that allows webhooks of single runs, and executes nothing. */
async function allowing() {
  const database = await openServiceDatabase({ url: ':memory:' });
  const webhooks = createWebhooks({ ofRuns: { secret: SECRET } });
  const durably = createDurably({ dialect: database.dialect, webhooks });
  await durably.migrate();
  onTestFinished(async () => {
    await durably.db.destroy();
    await database.close();
  });
  return durably;
}

describe.each(doors)('the webhook of a trigger, through $door', ({ open }) => {
  it.each([
    [{ url: 'http://[::ffff:169.254.169.254]/' }, 'webhook.url must have a public address'],
    [{ url: 'https://user@example.com/' }, 'webhook.url must hold no user name'],
    [{}, 'webhook.url must be a string'],
    [{ url: 'https://example.com/', events: ['end'] }, 'webhook.events must be a list of run.completed'],
    [{ url: 'https://example.com/', secret: 'x' }, 'Unknown member of webhook "secret"'],
    ['https://example.com/', 'webhook must be an object'],
  ])('is refused with 400 and its name: %j', async (webhook, message) => {
    const durably = await allowing();
    durably.register({
      any: job('any', () => null),
    });
    const send = open(durably);
    const { status, body } = await readProblem(await send(postJson('/trigger', { jobName: 'any', webhook })));
    expect([status, body.detail]).toEqual([400, expect.stringContaining(message)]);
    const batch = await readProblem(
      await send(postJson('/trigger/batch', { runs: [{ jobName: 'any' }, { jobName: 'any', webhook }] })),
    );
    expect(batch.status).toBe(400);
    expect(JSON.stringify(batch.body)).toMatch(/runs\.1|1,"webhook"|runs\[1\]|\["runs",1/);
    expect(await durably.getRuns()).toEqual([]);
  });
});
