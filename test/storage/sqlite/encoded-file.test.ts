import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Database from 'libsql';
import { expect, onTestFinished, test } from 'vitest';
import { openServiceDatabase } from '../../../src/app/database.ts';
import { createDurably } from '../../../src/create-durably.ts';
import { createCodec } from '../../../src/crypto.ts';
import type { DurablyPlugin } from '../../../src/index.ts';
import { job } from '../../support/jobs.ts';
import { untilStatus } from '../../support/runs.ts';
import { unreadable } from '../../support/unreadable.ts';
import { until } from '../../support/until.ts';

const SECRET = 'attack at dawn';

/** Everything that is stored of runs that handle the secret in every way, and of a schedule. */
async function storedWith(use: readonly DurablyPlugin[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'durably-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'test.db');
  const { dialect, close } = await openServiceDatabase({ url: pathToFileURL(path).href });
  const durably = createDurably({ dialect, use, pollingInterval: 25 });
  onTestFinished(() => durably.stop({ timeoutMs: 0 }).then(close));
  await durably.init();
  durably.register({
    child: job('child', (_step, payload) => payload),
    fails: job('fails', (step) =>
      step.run('bad', () => {
        throw new Error(SECRET, { cause: new Error(SECRET) });
      }),
    ),
    task: job('task', async (step, payload) => {
      step.log.warn(SECRET, { data: SECRET });
      step.progress(1, 2, SECRET);
      step.emit('news', SECRET);
      await step.run('work', { retries: { limit: 1, delay: 1 } }, (_signal, { attempt }) => {
        if (attempt === 1) throw new Error(SECRET);
        return SECRET;
      });
      await step.invoke('ask', 'child', SECRET);
      await step.trigger('start', 'child', SECRET);
      await step.invoke('fail', 'fails', SECRET).catch(() => undefined);
      await step.waitForSignal('go');
      return payload;
    }),
  });
  const { id } = await durably.trigger({
    jobName: 'task',
    input: { text: SECRET },
    labels: { seen: 'label' },
  });
  await durably.signal(id, 'go', SECRET);
  await untilStatus(durably, id, 'completed');
  const { id: forked } = await durably.fork(id, { from: 'ask', input: SECRET });
  await durably.batchTrigger([{ jobName: 'child', input: SECRET }]);
  await durably.db.transaction().execute((trx) => durably.trigger({ jobName: 'child', input: SECRET, trx }));
  await durably.retrigger(id);
  await durably.schedule({ id: 's', jobName: 'child', input: SECRET, every: '1h' });
  await durably.fireSchedule('s');
  await durably.signal(forked, 'go', SECRET);
  await until(
    async () => (await durably.getRuns({ status: ['pending', 'running'] })).length === 0,
    'the runs',
  );
  // The files while they are in use, with what is not in the main file yet.
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'));
  expect(files.length).toBeGreaterThan(1);
  return [...files, dump(path)].join('\n');
}

/** Every value of every table. */
function dump(path: string): string {
  const database = new Database(path);
  const tables = database.prepare("select name from sqlite_schema where type = 'table'").all() as {
    name: string;
  }[];
  const rows = tables.map(({ name }) => database.prepare(`select * from "${name}"`).all());
  database.close();
  return JSON.stringify(rows);
}

test.each([
  ['encoded', unreadable()],
  ['encrypted', createCodec({ keys: { k1: new Uint8Array(32).fill(7) }, current: 'k1' })],
])('a database whose payloads are %s holds none of them as plain text', async (_how, plugin) => {
  const stored = await storedWith([plugin]);
  expect(stored).not.toContain(SECRET);
  // What is no payload stays, for lists and claims.
  expect(stored).toContain('label');
});

test('without a plugin the same database holds them, so the search finds what there is', async () => {
  expect((await storedWith([])).split(SECRET).length).toBeGreaterThan(20);
});
