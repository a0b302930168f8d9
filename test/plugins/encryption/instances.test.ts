import { expect, test } from 'vitest';
import { z } from 'zod';
import { readConfig } from '../../../src/app/config.ts';
import { createCodec } from '../../../src/crypto.ts';
import { instanceOptions } from '../../../src/entry/instance-options.ts';
import { createDurably, defineJob } from '../../../src/index.ts';
import { createDurablyHandler } from '../../../src/server.ts';
import { openDatabase } from '../../../src/sqlite.ts';

const bytes = (fill: number) => new Uint8Array(32).fill(fill);
const SECRET = 'attack at dawn';

const task = defineJob({
  name: 'task',
  input: z.object({ text: z.string() }),
  run: async (step, { text }) => {
    step.log.info(text, { text });
    step.progress(1, 1, text);
    const same = await step.run('work', () => text);
    if (same === 'fail') throw new Error(SECRET);
    return same;
  },
});

/** Instances with other keys, on one database. */
async function opened() {
  const { dialect, close } = await openDatabase({ url: ':memory:' });
  const withKeys = (keys: Readonly<Record<string, Uint8Array>>, current: string) =>
    createDurably({ dialect, jobs: { task }, worker: 'on-demand', use: [createCodec({ keys, current })] });
  const first = withKeys({ k1: bytes(1) }, 'k1');
  await first.migrate();
  return { first, withKeys, close };
}

test('after a change of the key, old values are readable and new ones are stored with the new key', async () => {
  const { first, withKeys, close } = await opened();
  const old = await first.jobs.task.trigger({ text: 'old' });
  await first.processUntilIdle();
  const both = withKeys({ k1: bytes(1), k2: bytes(2) }, 'k2');
  const fresh = await both.jobs.task.trigger({ text: 'new' });
  await both.processUntilIdle();
  expect(await both.getRun(old.id)).toMatchObject({ payload: { text: 'old' }, output: 'old' });
  const last = withKeys({ k2: bytes(2) }, 'k2');
  expect(await last.getRun(fresh.id)).toMatchObject({ payload: { text: 'new' }, output: 'new' });
  expect(await last.getRun(old.id)).toMatchObject({ payload: '[encrypted]', output: '[encrypted]' });
  await close();
});

test('without the key, every route and stream shows [encrypted]', async () => {
  const { first, withKeys, close } = await opened();
  const { id } = await first.jobs.task.trigger({ text: SECRET });
  await first.jobs.task.trigger({ text: 'fail' });
  await first.processUntilIdle();
  const handler = createDurablyHandler(withKeys({ k2: bytes(2) }, 'k2'));
  for (const path of [
    `run?runId=${id}`,
    `steps?runId=${id}`,
    `logs?runId=${id}`,
    'runs',
    `subscribe?runId=${id}`,
  ]) {
    const answer = await handler.handle(new Request(`http://localhost/api/durably/${path}`), '/api/durably');
    const text = await answer.text();
    expect(text, path).toContain('[encrypted]');
    expect(text, path).not.toContain(SECRET);
    expect(text, path).not.toContain('durably/crypto');
  }
  await close();
});

test('a value that was changed in the database is shown as [encrypted], and fails the run that needs it', async () => {
  const { first, close } = await opened();
  const { id } = await first.jobs.task.trigger({ text: SECRET });
  const { payload } = await first.db
    .selectFrom('durably_runs')
    .select('payload')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  expect(payload).not.toContain(SECRET);
  const at = payload.length - 20;
  const changed = payload.slice(0, at) + (payload[at] === 'A' ? 'B' : 'A') + payload.slice(at + 1);
  await first.db.updateTable('durably_runs').set({ payload: changed }).where('id', '=', id).execute();
  await first.processUntilIdle();
  expect(await first.getRun(id)).toMatchObject({ payload: '[encrypted]', status: 'failed' });
  expect((await first.getRun(id))?.error).toContain('it was changed');
  await close();
});

const LOGGER = { info: () => undefined, warn: () => undefined, error: () => undefined };

test('the service encrypts with the first key of its environment, and not without keys', async () => {
  const keys = `k2:${'a1'.repeat(32)},k1:${'b2'.repeat(32)}`;
  const [codec] = instanceOptions(readConfig({ DURABLY_ENCRYPTION_KEYS: keys }), LOGGER).use;
  await expect(codec?.encode?.('text')).resolves.toMatch(/^1\.k2\./);
  expect(instanceOptions(readConfig({}), LOGGER).use).toEqual([]);
});
