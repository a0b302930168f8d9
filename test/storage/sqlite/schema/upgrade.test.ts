import Database from 'libsql';
import { expect, onTestFinished, test } from 'vitest';
import { createDurably } from '../../../../src/index.ts';
import { openDatabase } from '../../../../src/sqlite.ts';
import { migrations } from '../../../../src/storage/sqlite/migrations/migrations.generated.ts';
import { job } from '../../../support/jobs.ts';
import { journalTypes, untilStatus } from '../../../support/runs.ts';
import { temporaryFile } from '../../../support/temporary-file.ts';

const OLD = migrations.slice(0, -1).map(({ version }) => version);

/** A database as this version of the schema had it, with runs in every status. */
function oldDatabase(version: number): string {
  const path = temporaryFile();
  const db = new Database(path);
  onTestFinished(() => void db.close());
  // As durably has it, also before its first migration.
  db.exec(
    'create table durably_schema_versions (version integer primary key, name text not null, applied_at integer not null) strict',
  );
  for (const { name, version: applied, statements } of migrations.slice(0, version)) {
    for (const statement of statements) db.exec(statement);
    db.prepare('insert into durably_schema_versions values (?, ?, 0)').run(applied, name);
  }
  const trigger = (id: string, columns: Readonly<Record<string, string>> = {}) => {
    const all = { id, job_name: 'two', payload: JSON.stringify(id), ...columns };
    const names = Object.keys(all);
    db.prepare(`insert into durably_runs (${names}) values (${names.map(() => '?')})`).run(
      ...Object.values(all),
    );
  };
  const claim = (id: string) =>
    db
      .prepare(
        `update durably_runs set status = 'running', fence = fence + 1, attempt = 1, claim_kind = 'start',
          heartbeat_at = 1, started_at = 1, updated_at = 1 where id = ?`,
      )
      .run(id);
  const view = version < 4 ? 'durably_appends' : 'durably_all_appends';
  let appended = 0;
  const append = (id: string, type: string, step: string | null, text: string | null) =>
    db
      .prepare(
        `insert into ${view} (run_id, job_name, type, created_at, attempt, step_name, step_index, message, data, append_no)
          values (?, 'two', ?, 1, 1, ?, ?, ?, ?, ?)`,
      )
      .run(
        id,
        type,
        step,
        step && 0,
        type === 'run:fail' ? text : null,
        type === 'run:fail' ? null : text,
        ++appended,
      );

  trigger('run_pending', { labels: '{"org":"7"}', idempotency_key: 'once' });
  for (const id of ['run_keyed_1', 'run_keyed_2']) trigger(id, { concurrency_key: 'account' });
  for (const id of ['run_lost', 'run_handed_back', 'run_completed', 'run_failed', 'run_cancelled']) {
    trigger(id);
    claim(id);
    append(id, 'step:complete', 'one', '"stored"');
  }
  db.exec(`update durably_runs set status = 'pending', claim_kind = 'resume' where id = 'run_handed_back'`);
  append('run_completed', 'run:complete', null, '"done"');
  append('run_failed', 'run:fail', null, 'broken');
  if (version >= 2) {
    trigger('run_waiting');
    claim('run_waiting');
    append('run_waiting', 'step:complete', 'one', '"stored"');
    append('run_waiting', 'step:start', 'nap', '{"kind":"sleep","dueAt":1}');
    append('run_waiting', 'run:wait', null, '{"waits":[],"dueAt":1}');
  }
  db.exec(
    `update durably_runs set status = 'cancelled', last_command = 'cancel', completed_at = 1 where id = 'run_cancelled'`,
  );
  return path;
}

test.each(OLD)('a database of schema version %i is migrated, and its runs go on', async (version) => {
  const path = oldDatabase(version);
  const executed: string[] = [];
  const two = job('two', async (step, id) => {
    const one = await step.run('one', () => {
      executed.push(`${id} one`);
      return 'new';
    });
    if (id === 'run_waiting') await step.sleep('nap', '1h');
    await step.run('two', () => void executed.push(`${id} two`));
    return one;
  });
  const database = await openDatabase({ url: `file:${path}` });
  onTestFinished(() => database.close());
  const durably = createDurably({ dialect: database.dialect, jobs: { two }, pollingInterval: 25 });
  onTestFinished(() => durably.stop({ timeoutMs: 0 }));
  await durably.init();

  const stored = ['run_lost', 'run_handed_back', ...(version < 2 ? [] : ['run_waiting'])];
  const outputs: Record<string, unknown> = {};
  for (const id of ['run_pending', 'run_keyed_1', 'run_keyed_2', ...stored]) {
    outputs[id] = (await untilStatus(durably, id, 'completed')).output;
  }
  // What was stored is not executed again.
  expect(outputs).toEqual({
    ...{ run_pending: 'new', run_keyed_1: 'new', run_keyed_2: 'new' },
    ...Object.fromEntries(stored.map((id) => [id, 'stored'])),
  });
  expect(executed.filter((step) => step.endsWith('one')).sort()).toEqual(
    ['run_keyed_1', 'run_keyed_2', 'run_pending'].map((id) => `${id} one`),
  );
  expect(await durably.getRun('run_lost')).toMatchObject({ attempt: 2, stepCount: 2 });
  expect(await durably.getRun('run_handed_back')).toMatchObject({ attempt: 1 });

  // What had ended is as it was.
  expect(await durably.getRun('run_completed')).toMatchObject({ status: 'completed', output: 'done' });
  expect(await durably.getRun('run_failed')).toMatchObject({ status: 'failed', error: 'broken' });
  expect(await durably.getRun('run_cancelled')).toMatchObject({ status: 'cancelled' });
  expect(await journalTypes(durably, 'run_completed')).toEqual([
    ...['run:trigger', 'run:start', 'step:complete', 'run:complete'],
  ]);
  expect(await durably.getSteps('run_completed')).toMatchObject([{ name: 'one', output: 'stored' }]);

  // All of it can be worked with.
  for (const id of ['run_failed', 'run_cancelled']) {
    await durably.retry(id);
    expect((await untilStatus(durably, id, 'completed')).output).toBe('stored');
  }
  expect((await durably.jobs.two.trigger(0, { idempotencyKey: 'once' })).id).toBe('run_pending');
  const labelled = await durably.getRuns({ labels: { org: '7' } });
  expect(labelled.map(({ id }) => id)).toEqual(['run_pending']);
  const [counted] = await durably.getJobs({ counts: true });
  expect(counted?.counts).toMatchObject({
    completed: 6 + stored.length,
    pending: 0,
    running: 0,
    failed: 0,
    cancelled: 0,
  });
  await durably.deleteRun('run_completed');
  expect(await durably.getRun('run_completed')).toBeNull();
});
