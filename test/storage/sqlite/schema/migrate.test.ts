import { Kysely, sql } from 'kysely';
import { expect } from 'vitest';
import { DatabaseUnavailableError, SchemaMismatchError } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { echo } from '../../../support/jobs.ts';
import { rejectionOf } from '../../../support/runs.ts';
import type { World } from '../../../support/world.ts';

const TABLES = [
  'durably_clock_steps',
  'durably_counting',
  'durably_counts',
  'durably_deletions',
  'durably_journal',
  'durably_labels',
  'durably_paused_jobs',
  'durably_runs',
  'durably_schedules',
  'durably_schema_versions',
  'durably_signals',
  'durably_stats',
  'durably_stats_place',
  'durably_stats_spans',
  'durably_steps',
  'durably_workers',
];

async function rawDatabase(world: World): Promise<Kysely<Record<string, Record<string, unknown>>>> {
  const { dialect } = await world.open();
  return new Kysely({ dialect });
}

type Raw = Awaited<ReturnType<typeof rawDatabase>>;

async function schemaOf(raw: Raw): Promise<unknown[]> {
  return (await sql`select name, sql from sqlite_master order by name`.execute(raw)).rows;
}

/** A database in the schema from before the first release. */
async function beforeTheFirstRelease(world: World): Promise<Raw> {
  const raw = await rawDatabase(world);
  await sql`
    create table durably_schema_versions
      (version integer primary key, name text not null, applied_at integer not null) strict
  `.execute(raw);
  for (const [i, name] of ['create_runs', 'add_run_labels', 'append_through_view'].entries()) {
    await sql`insert into durably_schema_versions values (${i + 1}, ${name}, 0)`.execute(raw);
  }
  await sql`create table durably_runs (id text not null unique, payload text not null) strict`.execute(raw);
  await sql`insert into durably_runs values ('run_old', '{"old":true}')`.execute(raw);
  return raw;
}

contract('migrate', (test) => {
  test('creates the tables with the documented columns', async ({ world }) => {
    const { durably } = await world.instance();
    await durably.migrate();
    const { rows } = await sql<{ name: string }>`
      select name from sqlite_master where type = 'table' and name like 'durably!_%' escape '!' order by name
    `.execute(durably.db);
    expect(rows.map(({ name }) => name)).toEqual(TABLES);
    await sql`select run_id, name, status from durably_steps`.execute(durably.db);
  });

  test('lets several instances migrate one empty database at once', async ({ world }) => {
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

  test('leaves a migrated database unchanged', async ({ world }) => {
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

  test('shares one migration between concurrent calls, and sends nothing in later calls', async ({
    world,
  }) => {
    const fresh = world.another();
    const alone = await world.instance();
    await alone.durably.migrate();
    const needed = alone.statements.length;
    const { durably, statements } = await fresh.instance();
    await Promise.all([durably.migrate(), durably.init(), durably.migrate()]);
    await durably.init();
    expect(statements.length).toBeLessThanOrEqual(needed);
  });

  test('refuses a database from before the first release, and changes nothing', async ({ world }) => {
    const raw = await beforeTheFirstRelease(world);
    await expectRefused(world, raw, /migration 1 create_runs\. .*before the first release.*empty database/);
    const { rows } = await sql<{ id: string }>`select id from durably_runs`.execute(raw);
    expect(rows).toEqual([{ id: 'run_old' }]);
  });

  test('refuses a database that lacks one of the tables', async ({ world }) => {
    await world.idle();
    const raw = await rawDatabase(world);
    await sql`drop table durably_labels`.execute(raw);
    await expectRefused(world, raw, /schema is version \d+, but has no durably_labels: was it dropped\?/);
  });

  test('refuses the tables of @coji/durably and does not change them', async ({ world }) => {
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

  test('refuses a database whose tables only share the names', async ({ world }) => {
    const raw = await rawDatabase(world);
    for (const name of TABLES)
      await sql`create table ${sql.table(name)} (version integer, applied_at text)`.execute(raw);
    await expectRefused(world, raw, /durably_/);
  });

  test('refuses a database in which one table is foreign', async ({ world }) => {
    const raw = await rawDatabase(world);
    await sql`create table durably_steps (step text)`.execute(raw);
    await expectRefused(world, raw, /durably_steps/);
  });

  test('refuses a newer schema and does not change it', async ({ world }) => {
    await world.idle();
    const raw = await rawDatabase(world);
    await sql`insert into durably_schema_versions (version, name, applied_at) values (999, 'later', 0)`.execute(
      raw,
    );
    await expectRefused(world, raw, /version 999.*up to/);
  });

  test('refuses a schema in which a migration has another name', async ({ world }) => {
    await world.idle();
    const raw = await rawDatabase(world);
    await sql`update durably_schema_versions set name = 'something else'`.execute(raw);
    await expectRefused(world, raw, /something else/);
  });

  test('names a foreign table that has one of its names, and changes nothing', async ({ world }) => {
    const raw = await rawDatabase(world);
    await sql`create table theirs (n integer)`.execute(raw);
    await sql`create index durably_journal_by_run on theirs (n)`.execute(raw);
    await expectRefused(world, raw, /can't be migrated: .*durably_journal_by_run/);
  });

  test('ignores everything else in the database, even if it is broken', async ({ world }) => {
    const raw = await rawDatabase(world);
    await sql`create table gone (n integer)`.execute(raw);
    await sql`create view theirs as select n from gone`.execute(raw);
    await sql`drop table gone`.execute(raw);
    const { durably } = await world.idle();
    expect(await durably.register({ echo }).echo.trigger(1)).toMatchObject({ payload: 1 });
  });

  test('succeeds after a refused database has been cleared', async ({ world }) => {
    const raw = await rawDatabase(world);
    await sql`create table durably_steps (step text)`.execute(raw);
    const { durably } = await world.instance();
    await rejectionOf(durably.migrate());
    await sql`drop table durably_steps`.execute(raw);
    await durably.migrate();
    expect(await durably.getRuns()).toEqual([]);
  });

  test('must come first: other calls fail and say that the database is not migrated', async ({ world }) => {
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
