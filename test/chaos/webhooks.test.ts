import { Webhook } from 'standardwebhooks';
import { expect, test, vi } from 'vitest';
import { temporaryFolder } from '../app/temporary.ts';
import { OTHER_SECRET, receiver, SECRET } from '../support/net/receiver.ts';
import { spawnService } from '../support/processes/spawn-service.ts';
import { until } from '../support/until.ts';

vi.setConfig({ testTimeout: 60_000 });

test('a process that is killed between the end of a run and its delivery leaves it to the next one', async () => {
  let kill: (() => void) | undefined;
  const { received, url, host } = await receiver((response) => {
    // The first answers never come.
    if (kill === undefined) response.writeHead(204).end();
    else kill();
  });
  const env = {
    TURSO_DATABASE_URL: `file:${await temporaryFolder()}/d.db`,
    DURABLY_WEBHOOKS: JSON.stringify([
      { url: `${url}/token-in-path`, secret: SECRET, events: ['run.failed'] },
    ]),
    DURABLY_WEBHOOK_ALLOW: host,
    DURABLY_WEBHOOK_RUN_SECRET: `${OTHER_SECRET},${SECRET}`,
    DURABLY_HEARTBEAT_INTERVAL_MS: '200',
    DURABLY_STALE_THRESHOLD_MS: '1000',
  };
  const first = spawnService(env);
  kill = () => first.process.kill('SIGKILL');
  const trigger = await fetch(`${await first.listening()}/api/durably/trigger`, {
    method: 'POST',
    body: JSON.stringify({
      jobName: 'import-csv',
      input: { file: 'no-such-file.csv' },
      webhook: { url: `${url}/of-run` },
    }),
  });
  const { runId } = (await trigger.json()) as { runId: string };
  expect(await first.exit).toEqual({ code: null, signal: 'SIGKILL' });
  const before = received.length;
  expect(before).toBeGreaterThanOrEqual(1);
  kill = undefined;

  const second = spawnService(env);
  const base = await second.listening();
  const deliveries = async () => {
    const answer = await fetch(`${base}/api/durably/runs?jobName=durably:webhook`);
    return (await answer.json()) as { id: string; status: string }[];
  };
  await until(async () => (await deliveries()).filter(({ status }) => status === 'completed').length === 2);
  const ids = (await deliveries()).map(({ id }) => id);
  const sent = received.map(({ headers }) => headers['webhook-id'] ?? '');
  expect(new Set(sent)).toEqual(new Set(ids));
  // What was under way is sent again, with the same id.
  expect(sent.slice(before)).toEqual(expect.arrayContaining(sent.slice(0, before)));
  for (const { path, text, headers, body } of received) {
    expect(body).toMatchObject({ type: 'run.failed', data: { id: runId, status: 'failed' } });
    new Webhook(path === '/hooks/of-run' ? OTHER_SECRET : SECRET).verify(text, headers);
  }
  for (const { output } of [first, second]) {
    for (const secret of [SECRET, OTHER_SECRET, 'token-in-path']) {
      expect(output.stdout + output.stderr).not.toContain(secret.replace('whsec_', ''));
    }
  }
});
