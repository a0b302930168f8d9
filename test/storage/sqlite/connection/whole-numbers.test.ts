import { createClient } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import { type Dialect, SqliteDialect } from 'kysely';
import Database from 'libsql';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDurably, ValidationError } from '../../../../src/index.ts';
import { job } from '../../../support/jobs.ts';
import { rejectionOf, untilStatus } from '../../../support/runs.ts';
import { temporaryFile } from '../../../support/temporary-file.ts';

function libsql(path: string, intMode: 'number' | 'bigint' | 'string'): Dialect {
  const client = createClient({ url: `file:${path}`, intMode });
  onTestFinished(() => client.close());
  return new LibsqlDialect({ client });
}

/** Behaves like better-sqlite3 with `defaultSafeIntegers(true)`. */
function safeIntegers(path: string): Dialect {
  const database = new Database(path);
  database.defaultSafeIntegers(true);
  onTestFinished(() => void database.close());
  return new SqliteDialect({ database: database as never });
}

/** A dialect that treats every statement that may write as one without rows. */
function withoutReturning(path: string): Dialect {
  const database = new Database(path);
  onTestFinished(() => void database.close());
  const prepare = (sql: string) => {
    const statement = database.prepare(sql);
    const reader = /^\s*select/i.test(sql);
    return {
      reader,
      all: (parameters: unknown[]) => statement.all(parameters),
      run: (parameters: unknown[]) => {
        if (statement.reader) statement.all(parameters);
        else statement.run(parameters);
        return { changes: 0, lastInsertRowid: 0 };
      },
    };
  };
  return new SqliteDialect({ database: { prepare, close: () => database.close() } as never });
}

const work = job('work', async (step) => {
  step.progress(1, 2);
  step.log.info('a line');
  return await step.run('one', () => ({ n: 7 }));
});

const readers = {
  "LibsqlDialect, intMode: 'bigint'": (path: string) => libsql(path, 'bigint'),
  'SqliteDialect with safe integers': safeIntegers,
};

describe.each(Object.entries(readers))('a driver that returns bigints: %s', (_, open) => {
  test('gives times, counts and sequences as numbers', async () => {
    const path = temporaryFile();
    const durably = createDurably({ dialect: open(path), jobs: { work }, reconnect: () => undefined });
    onTestFinished(() => durably.stop());
    await durably.init();
    const run = await durably.jobs.work.trigger(1);
    const done = await untilStatus(durably, run.id, 'completed');
    expect(done).toMatchObject({ attempt: 1, stepCount: 1, output: { n: 7 } });
    const plain = createDurably({ dialect: libsql(path, 'number') });
    const same = await plain.getRun(run.id);
    expect(done).toEqual(same);
    expect(await durably.getRuns()).toEqual([same]);
    expect(await durably.getSteps(run.id)).toEqual(await plain.getSteps(run.id));
    expect(await durably.getLogs({ runId: run.id })).toEqual(await plain.getLogs({ runId: run.id }));
    const events = [];
    for await (const event of durably.subscribe(run.id)) events.push(event);
    const plainEvents = [];
    for await (const event of plain.subscribe(run.id)) plainEvents.push(event);
    expect(events).toEqual(plainEvents);
    expect(await durably.health()).toEqual({ database: true, worker: true });
    await durably.retrigger(run.id);
    await durably.jobs.work.trigger(1, { idempotencyKey: 'k' });
  });

  test('is read correctly by an instance that has migrated nothing', async () => {
    const path = temporaryFile();
    await createDurably({ dialect: libsql(path, 'number') }).migrate();
    const durably = createDurably({ dialect: open(path), jobs: { work }, reconnect: () => undefined });
    expect(await durably.getRuns()).toEqual([]);
    const run = await durably.jobs.work.trigger(1);
    expect(await durably.getRun(run.id)).toEqual(run);
  });
});

describe.each([
  ["LibsqlDialect, intMode: 'string'", (path: string) => libsql(path, 'string')],
  ['a driver without RETURNING', withoutReturning],
])('refuses %s', (_, open) => {
  test('when the database is migrated', async () => {
    const durably = createDurably({ dialect: open(temporaryFile()), jobs: { work } });
    expect(await rejectionOf(durably.init())).toBeInstanceOf(ValidationError);
  });

  test('before it stores anything', async () => {
    const path = temporaryFile();
    const plain = createDurably({ dialect: libsql(path, 'number'), jobs: { work } });
    await plain.migrate();
    const durably = createDurably({ dialect: open(path), jobs: { work } });
    expect(await rejectionOf(durably.jobs.work.trigger(1))).toBeInstanceOf(ValidationError);
    expect(await plain.getRuns()).toEqual([]);
  });
});
