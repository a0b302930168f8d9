import { Kysely, sql } from 'kysely';
import { expect } from 'vitest';
import { DatabaseUnavailableError, SchemaMismatchError } from '../../src/index.ts';
import { migrations } from '../../src/storage/migrations.generated.ts';
import { contract } from '../support/contract.ts';
import { echo, job } from '../support/jobs.ts';
import { journalTypes, rejectionOf, untilStatus } from '../support/runs.ts';
import type { World } from '../support/world.ts';

const TABLES = [
  'durably_deletions',
  'durably_journal',
  'durably_labels',
  'durably_runs',
  'durably_schema_versions',
  'durably_steps',
];

async function rawDatabase(world: World): Promise<Kysely<Record<string, Record<string, unknown>>>> {
  const { dialect } = await world.open();
  return new Kysely({ dialect });
}

type Raw = Awaited<ReturnType<typeof rawDatabase>>;

async function schemaOf(raw: Raw): Promise<unknown[]> {
  return (await sql`select name, sql from sqlite_master order by name`.execute(raw)).rows;
}

/** A database as an earlier version made it. */
async function atVersion(world: World, newest: number): Promise<Raw> {
  const raw = await rawDatabase(world);
  await sql`
    create table durably_schema_versions
      (version integer primary key, name text not null, applied_at integer not null) strict
  `.execute(raw);
  for (const { version, name, statements } of migrations.slice(0, newest)) {
    for (const statement of statements) await sql.raw(statement).execute(raw);
    await sql`insert into durably_schema_versions values (${version}, ${name}, 0)`.execute(raw);
  }
  return raw;
}

/** A database as the first version made it, with a cancelled run in it. */
async function firstVersion(world: World): Promise<Raw> {
  const raw = await atVersion(world, 1);
  await sql`insert into durably_runs (id, job_name, payload) values ('run_old', 'echo', '{"old":true}')`.execute(
    raw,
  );
  await sql`update durably_runs set status = 'cancelled'`.execute(raw);
  return raw;
}

contract('migrate', (test) => {
  test('creates the tables, which bear the documented columns', async ({ world }) => {
    const { durably } = await world.instance();
    await durably.migrate();
    const { rows } = await sql<{ name: string }>`
      select name from sqlite_master where type = 'table' and name like 'durably!_%' escape '!' order by name
    `.execute(durably.db);
    expect(rows.map(({ name }) => name)).toEqual(TABLES);
    await sql`select run_id, name, status from durably_steps`.execute(durably.db);
  });

  test('several instances migrate one empty database at once', async ({ world }) => {
    const instances = await Promise.all(Array.from({ length: 6 }, () => world.instance()));
    await Promise.all(instances.map(({ durably }) => durably.migrate()));
    const [first] = instances;
    const versions = await first?.durably.db.selectFrom('durably_schema_versions').selectAll().execute();
    expect(versions?.map(({ version }) => version)).toEqual([
      ...new Set(versions?.map(({ version }) => version)),
    ]);
    for (const { durably } of instances) {
      const { echo: handle } = durably.register({ echo });
      expect(await handle.trigger('hello')).toMatchObject({ payload: 'hello' });
    }
  });

  test('a migrated database is left as it is', async ({ world }) => {
    const { durably } = await world.idle();
    const { echo: handle } = durably.register({ echo });
    const run = await handle.trigger(1);
    const raw = await rawDatabase(world);
    const before = await schemaOf(raw);
    const { durably: other, statements } = await world.idle();
    expect(await schemaOf(raw)).toEqual(before);
    expect(await other.getRun(run.id)).toEqual(run);
    expect(statements.map((statement) => statement.sql)).not.toContain('begin');
  });

  test('concurrent calls share one migration, and a later one asks nothing', async ({ world }) => {
    const fresh = world.another();
    const alone = await world.instance();
    await alone.durably.migrate();
    const needed = alone.statements.length;
    const { durably, statements } = await fresh.instance();
    await Promise.all([durably.migrate(), durably.init(), durably.migrate()]);
    await durably.init();
    expect(statements.length).toBeLessThanOrEqual(needed);
  });

  test('a database of the first version keeps its runs, which have no labels', async ({ world }) => {
    await firstVersion(world);
    const instances = await Promise.all(Array.from({ length: 4 }, () => world.instance()));
    await Promise.all(instances.map(({ durably }) => durably.migrate()));
    const { durably } = await world.idle();
    const versions = await durably.db.selectFrom('durably_schema_versions').select('version').execute();
    expect(versions.map(({ version }) => version)).toEqual(migrations.map(({ version }) => version));
    expect(await durably.getRun('run_old')).toMatchObject({ payload: { old: true }, labels: {} });
    const run = await durably.register({ echo }).echo.trigger(1, { labels: { org: '1' } });
    expect(await durably.getRuns({ labels: { org: '1' } })).toEqual([run]);
    await durably.retry('run_old');
    await durably.cancel('run_old');
    await durably.deleteRun('run_old');
    expect(await durably.getRuns()).toEqual([run]);
  });

  test('what a version that appended to the journal itself has stored is kept, and it can append no more', async ({
    world,
  }) => {
    const raw = await atVersion(world, 2);
    await sql`insert into durably_runs (id, job_name, payload) values ('run_old', 'task', '0')`.execute(raw);
    await sql`update durably_runs set status = 'running', attempt = 1`.execute(raw);
    const append = () =>
      sql`
        insert into durably_journal (run_id, job_name, type, attempt, append_no, step_name, step_index, data)
        values ('run_old', 'task', 'step:complete', 1, 1, 'one', 0, '"stored"')
      `.execute(raw);
    await append();
    await sql`update durably_runs set status = 'pending'`.execute(raw);
    const { durably } = await world.idle();
    expect((await rejectionOf(append())).message).toContain('earlier version');
    durably.register({ task: job('task', (step) => step.run('one', () => 'run again')) });
    durably.start();
    expect(await untilStatus(durably, 'run_old', 'completed')).toMatchObject({
      attempt: 2,
      stepCount: 1,
      output: 'stored',
    });
    expect(await journalTypes(durably, 'run_old')).toEqual([
      'run:trigger',
      'run:start',
      'step:complete',
      'run:start',
      'run:complete',
    ]);
  });

  test('a database of the first version with a stranger among our names is refused', async ({ world }) => {
    const raw = await firstVersion(world);
    await sql`create table durably_labels (label text)`.execute(raw);
    await expectRefused(world, raw, /durably_labels/);
  });

  test('a database that lacks one of our tables is refused', async ({ world }) => {
    await world.idle();
    const raw = await rawDatabase(world);
    await sql`drop table durably_labels`.execute(raw);
    await expectRefused(world, raw, /not this durably's/);
  });

  test("the peer's tables are refused and not touched", async ({ world }) => {
    const raw = await rawDatabase(world);
    await sql`create table durably_runs (id text primary key, job_name text not null, payload text)`.execute(
      raw,
    );
    await sql`create table durably_steps (id text primary key, run_id text not null, name text)`.execute(raw);
    await sql`create table durably_run_labels (run_id text not null, key text, value text)`.execute(raw);
    await sql`create table durably_logs (id text primary key, run_id text not null)`.execute(raw);
    await sql`create table durably_schema_versions (version integer primary key, applied_at text not null)`.execute(
      raw,
    );
    await sql`insert into durably_schema_versions values (1, '2025-01-01T00:00:00.000Z')`.execute(raw);
    await expectRefused(world, raw, /durably_runs/);
  });

  test('tables of our names that are all there but not ours are refused', async ({ world }) => {
    const raw = await rawDatabase(world);
    for (const name of TABLES)
      await sql`create table ${sql.table(name)} (version integer, applied_at text)`.execute(raw);
    await expectRefused(world, raw, /durably_/);
  });

  test('one stranger among our names is refused', async ({ world }) => {
    const raw = await rawDatabase(world);
    await sql`create table durably_steps (step text)`.execute(raw);
    await expectRefused(world, raw, /durably_steps/);
  });

  test('a newer schema is refused and not touched', async ({ world }) => {
    await world.idle();
    const raw = await rawDatabase(world);
    await sql`insert into durably_schema_versions (version, name, applied_at) values (999, 'later', 0)`.execute(
      raw,
    );
    await expectRefused(world, raw, /version 999.*up to/);
  });

  test('a schema with a migration of another name is refused', async ({ world }) => {
    await world.idle();
    const raw = await rawDatabase(world);
    await sql`update durably_schema_versions set name = 'something else'`.execute(raw);
    await expectRefused(world, raw, /something else/);
  });

  test('a table of another name in the way is named, and nothing is touched', async ({ world }) => {
    const raw = await rawDatabase(world);
    await sql`create table theirs (n integer)`.execute(raw);
    await sql`create index durably_journal_by_run on theirs (n)`.execute(raw);
    await expectRefused(world, raw, /can't be migrated: .*durably_journal_by_run/);
  });

  test('whatever else is in the database, broken or not, is no hindrance', async ({ world }) => {
    const raw = await rawDatabase(world);
    await sql`create table gone (n integer)`.execute(raw);
    await sql`create view theirs as select n from gone`.execute(raw);
    await sql`drop table gone`.execute(raw);
    const { durably } = await world.idle();
    expect(await durably.register({ echo }).echo.trigger(1)).toMatchObject({ payload: 1 });
  });

  test('a refused database can be migrated once it is cleared', async ({ world }) => {
    const raw = await rawDatabase(world);
    await sql`create table durably_steps (step text)`.execute(raw);
    const { durably } = await world.instance();
    await rejectionOf(durably.migrate());
    await sql`drop table durably_steps`.execute(raw);
    await durably.migrate();
    expect(await durably.getRuns()).toEqual([]);
  });

  test('a database that is not migrated is said to be unavailable', async ({ world }) => {
    const { durably } = await world.instance();
    const { echo: handle } = durably.register({ echo });
    const calls = [handle.trigger(1), durably.getRuns(), durably.getRun('run_1'), durably.cancel('run_1')];
    for (const error of await Promise.all(calls.map(rejectionOf))) {
      expect(error).toBeInstanceOf(DatabaseUnavailableError);
      expect(error.message).toContain('not migrated');
    }
    expect(await durably.health()).toEqual({ database: false, worker: false });
  });
});

async function expectRefused(world: World, raw: Raw, naming: RegExp): Promise<void> {
  const before = await schemaOf(raw);
  const { durably } = await world.instance();
  for (const call of [() => durably.migrate(), () => durably.init()]) {
    const error = await rejectionOf(call());
    expect(error).toBeInstanceOf(SchemaMismatchError);
    expect(error.message).toMatch(naming);
  }
  expect(await schemaOf(raw)).toEqual(before);
  expect((await durably.health()).worker).toBe(false);
}
