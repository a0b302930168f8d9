import { createClient } from '@libsql/client';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { freePort } from '../support/net/free-port.ts';
import { type ExampleProcess, runReadme, startExample, temporaryFolder } from './example.ts';

vi.setConfig({ testTimeout: 120_000 });

const ada = { employee: 'Ada', amount: 40, purpose: 'a chair' };
const grace = { approved: true, by: 'Grace' };

function clientOf({ url }: ExampleProcess) {
  const send = async (path: string, body?: object) => {
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    return await (await fetch(`${url}/api/durably${path}`, init)).json();
  };
  const readRun = async (runId: string) =>
    z.looseObject({ status: z.string() }).parse(await send(`/run?runId=${runId}`));
  return {
    async trigger(input: object) {
      const answer = await send('/trigger', { jobName: 'expense', input: { ...ada, ...input } });
      return z.object({ runId: z.string() }).parse(answer).runId;
    },
    answer: (runId: string, payload: object) => send(`/signal?runId=${runId}`, { name: 'answer', payload }),
    retry: (runId: string) => send(`/retry?runId=${runId}`, {}),
    untilRun: (runId: string, expected: object) =>
      vi.waitFor(async () => expect(await readRun(runId)).toMatchObject(expected), 20_000),
  };
}

async function readLedger(folder: string) {
  const client = createClient({ url: `file:${folder}/ledger.db` });
  const { rows } = await client.execute('select expense_id, amount, approved_by from entries');
  client.close();
  return rows;
}

const mailsOf = ({ output }: ExampleProcess) => output().match(/mail to the approver: .*/g) ?? [];

test('the approval answers as its README shows, with the service killed between the question and the answer', async () => {
  const [data, port] = [temporaryFolder(), await freePort()];
  const first = await startExample('approval', { data, port });
  let next: ExampleProcess | undefined;
  const restart = async () => {
    await first.end('SIGKILL');
    expect(await readLedger(data)).toEqual([]);
    next = await startExample('approval', { data, port });
  };
  expect(await runReadme('approval', first.url, { restart })).toBe(5);
  expect(await readLedger(data)).toMatchObject([{ amount: 40, approved_by: 'Grace' }]);
  const [runId] = /run_\w+/.exec(mailsOf(first).join()) ?? [];
  expect(await readLedger(data)).toMatchObject([{ expense_id: runId }]);
  expect(mailsOf(first)).toHaveLength(1);
  expect(next && mailsOf(next)).toEqual([]);
  expect(await next?.end('SIGTERM')).toEqual([0, null]);
});

test('the approver is reminded once, and may still answer', async () => {
  const data = temporaryFolder();
  const example = await startExample('approval', { data });
  const { trigger, answer, untilRun } = clientOf(example);
  const runId = await trigger({ remindAfterMs: 1 });
  await untilRun(runId, { status: 'waiting', waits: [{ stepName: 'answer to the reminder' }] });
  expect(mailsOf(example)).toEqual([
    `mail to the approver: may Ada spend 40 on a chair? Answer to ${runId}`,
    `mail to the approver: a reminder: may Ada spend 40 on a chair? Answer to ${runId}`,
  ]);
  await answer(runId, grace);
  await untilRun(runId, { status: 'completed', output: { outcome: 'booked', by: 'Grace' } });
  expect(mailsOf(example)).toHaveLength(2);
  expect(await readLedger(data)).toHaveLength(1);
});

test('an expense that is refused or not answered is not booked', async () => {
  const data = temporaryFolder();
  const { trigger, answer, untilRun } = clientOf(await startExample('approval', { data }));
  const refused = await trigger({});
  await answer(refused, { approved: false, by: 'Grace' });
  await untilRun(refused, { status: 'completed', output: { outcome: 'refused', by: 'Grace' } });
  const ignored = await trigger({ remindAfterMs: 1, giveUpAfterMs: 1 });
  await untilRun(ignored, { status: 'completed', output: { outcome: 'not answered', by: null } });
  expect(await readLedger(data)).toEqual([]);
});

test('after an answer that does not fit, a retry waits for another one and asks nobody again', async () => {
  const data = temporaryFolder();
  const example = await startExample('approval', { data });
  const { trigger, answer, retry, untilRun } = clientOf(example);
  const runId = await trigger({});
  await answer(runId, { approved: 'perhaps' });
  await untilRun(runId, { status: 'failed', error: expect.stringContaining('Invalid signal: approved: ') });
  await retry(runId);
  await untilRun(runId, { status: 'waiting' });
  await answer(runId, grace);
  await untilRun(runId, { status: 'completed', output: { outcome: 'booked' } });
  expect(mailsOf(example)).toHaveLength(1);
});
