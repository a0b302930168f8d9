import { expect } from 'vitest';
import type { DurablyPlugin, TriggerOptions } from '../../../src/index.ts';
import { createWebhooks } from '../../../src/webhooks.ts';
import { contract } from '../../support/contract.ts';
import { echo } from '../../support/jobs.ts';
import { receiver, SECRET } from '../../support/net/receiver.ts';
import { rejectionOf, untilStatus } from '../../support/runs.ts';
import { until } from '../../support/until.ts';

const JOB = 'durably:webhook';
const allowing = (...allow: string[]) => createWebhooks({ allow, ofRuns: { secret: SECRET } });

contract('a webhook of a single run', (test) => {
  test('is told how that run ends, whoever executes it', async ({ world }) => {
    const { received, url, host } = await receiver();
    const { durably } = await world.start({ webhooks: allowing(host) });
    durably.register({ echo });
    const [one, , third] = await durably.batchTrigger([
      { jobName: 'echo', input: 1, webhook: { url } },
      { jobName: 'echo', input: 2 },
      { jobName: 'echo', input: 3, webhook: { url: `${url}/three#part` }, idempotencyKey: 'k' },
    ]);
    const cancelled = await durably.trigger({
      jobName: 'echo',
      input: 4,
      delay: '1h',
      webhook: { url, events: ['run.failed', 'run.completed'] },
    });
    await durably.cancel(cancelled.id);
    await until(() => received.length === 2);
    expect(received.map(({ path, body }) => [path, body.data.id]).toSorted()).toEqual(
      [
        ['/hooks', one?.id],
        ['/hooks/three', third?.id],
      ].toSorted(),
    );
    expect(await durably.getRuns({ jobName: JOB })).toHaveLength(2);
    expect(JSON.stringify(await durably.getRuns())).not.toContain(host);
  });

  test('goes along with what plugins keep with the run', async ({ world }) => {
    const { received, url, host } = await receiver();
    const kept: unknown[] = [];
    const plugin: DurablyPlugin<string> = {
      name: 'keeper',
      onTrigger: () => 'mine',
      async aroundRun({ data, jobName }, next) {
        if (jobName === 'echo') kept.push(data);
        await next();
      },
    };
    const { durably } = await world.start({ webhooks: allowing(host), use: [plugin] });
    const { echo: handle } = durably.register({ echo });
    await handle.trigger(1, { webhook: { url } });
    await until(() => received.length === 1);
    expect(kept).toEqual(['mine']);
  });

  test('is not that of its copies', async ({ world }) => {
    const { received, url, host } = await receiver();
    const { durably } = await world.start({ webhooks: allowing(host) });
    durably.register({ echo });
    const { id } = await durably.trigger({ jobName: 'echo', input: 1, webhook: { url } });
    await untilStatus(durably, id, 'completed');
    const copy = await durably.retrigger(id);
    await untilStatus(durably, copy.id, 'completed');
    await until(() => received.length === 1);
    expect(await durably.getRuns({ jobName: JOB })).toHaveLength(1);
  });

  test('is refused where webhooks of single runs are not allowed, and nothing is stored', async ({
    world,
  }) => {
    const { webhooks, url } = await receiver();
    const options: TriggerOptions = { webhook: { url } };
    for (const given of [undefined, webhooks()]) {
      const { durably } = await world.start({ webhooks: given });
      durably.register({ echo });
      const error = await rejectionOf(durably.trigger({ jobName: 'echo', input: 1, ...options }));
      expect(error).toMatchObject({
        message:
          'webhook is not allowed here: webhooks of single runs need DURABLY_WEBHOOK_RUN_SECRET, or ofRuns.secret of createWebhooks',
        issues: [{ path: ['webhook'] }],
      });
      expect(await durably.getRuns()).toEqual([]);
    }
  });

  test.for([
    ['no url', {}, /^webhook\.url must be a URL, not undefined$/],
    ['no object', 'https://example.com', /^members of webhook must be given as an object/],
    ['another scheme', { url: 'ftp://example.com' }, /^webhook\.url must begin with https/],
    ['a script', { url: 'javascript:alert(1)' }, /^webhook\.url must begin with https/],
    ['no URL', { url: 'example.com/token' }, /^webhook\.url must be an http\(s\) URL/],
    ['a user name', { url: 'https://me:token@example.com' }, /^webhook\.url must hold no user name/],
    [
      'a private address',
      { url: 'http://169.254.169.254/token' },
      /^webhook\.url must have a public address/,
    ],
    ['loopback by name', { url: 'http://localhost/token' }, /^webhook\.url must have a public address/],
    [
      'a long url',
      { url: `https://example.com/${'x'.repeat(2048)}` },
      /^webhook\.url must have at most 2048/,
    ],
    [
      'an unknown event',
      { url: 'https://example.com', events: ['run.started'] },
      /^webhook\.events must be a list of run/,
    ],
    ['an unknown member', { url: 'https://example.com', secret: 's' }, /^Unknown member of webhook "secret"/],
  ] as const)('is refused with %s', async ([, webhook, message], { world }) => {
    const { durably } = await world.idle({ webhooks: allowing() });
    durably.register({ echo });
    const error = await rejectionOf(
      durably.trigger({ jobName: 'echo', input: 1, webhook: webhook as never }),
    );
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('token');
    expect(await durably.getRuns()).toEqual([]);
  });

  test('says only so of values that no plugin of its process can decode', async ({ world }) => {
    const { received, url, host } = await receiver();
    const secret: DurablyPlugin = {
      name: 'rot',
      encode: (text) => `rot ${text}`,
      decode: (text) => text.slice(4),
    };
    const { durably } = await world.idle({ webhooks: allowing(host), use: [secret] });
    durably.register({ echo });
    const { id } = await durably.trigger({ jobName: 'echo', input: 'hidden', webhook: { url } });
    await durably.processOne();
    expect((await durably.getRun(id))?.status).toBe('completed');
    const { durably: other } = await world.start({ webhooks: allowing(host) });
    await until(() => received.length === 1);
    expect(received[0]?.body.data).toMatchObject({ id, payload: '[encrypted]', output: '[encrypted]' });
    expect(other.getJob('echo')).toBeUndefined();
  });
});
