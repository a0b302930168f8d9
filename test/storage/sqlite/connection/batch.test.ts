import { Kysely } from 'kysely';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Batch } from '../../../../src/storage/sqlite/adapter.ts';
import { statementIndexOf } from '../../../../src/storage/sqlite/connection/database-error.ts';
import { adapterOf, rowsOf } from '../../../../src/storage/sqlite/connection/libsql-client.ts';
import { LocalConnection } from '../../../../src/storage/sqlite/file/local-connection.ts';
import { localDialect } from '../../../../src/storage/sqlite/file/local-dialect.ts';
import type { Backend, OpenedDatabase } from '../../../support/backend.ts';
import { sqliteBackends } from '../support/backends.ts';

const withBatches = sqliteBackends.filter(({ needsReconnect }) => !needsReconnect);

/** A database with a table of unique numbers. */
async function opened(backend: Backend) {
  const database = await backend.createDatabase();
  onTestFinished(() => database.remove());
  const open = async () => {
    const opening = await database.open();
    onTestFinished(() => opening.close());
    return opening;
  };
  const first = await prepare(await open());
  await first.batch([plain('create table numbers (n integer unique)')]);
  return { ...first, open };
}

async function prepare({ dialect }: Pick<OpenedDatabase, 'dialect'>) {
  const adapter = adapterOf(dialect.createDriver());
  if (adapter.batch === undefined) throw new Error('the driver has no batch');
  return { batch: adapter.batch, adapter, numbers: () => numbersOf(adapter.batch as Batch) };
}

async function numbersOf(batch: Batch): Promise<unknown[]> {
  const [answer] = await batch([plain('select n from numbers order by n')]);
  return rowsOf(answer).map(({ n }) => n);
}

function plain(sql: string, ...parameters: (string | number)[]) {
  return { sql, parameters };
}

const insert = (n: number) => plain('insert into numbers (n) values (?)', n);

describe.each(withBatches)('a batch on $name', (backend) => {
  test('answers with the rows of each statement', async () => {
    const { batch } = await opened(backend);
    const answers = await batch([
      insert(1),
      plain('insert into numbers (n) values (?) returning n', 2),
      plain('select count(*) as count from numbers'),
    ]);
    expect(answers.map(rowsOf).map((rows) => rows.map((row) => ({ ...row })))).toEqual([
      [],
      [{ n: 2 }],
      [{ count: 2 }],
    ]);
  });

  test('is stored whole or not at all, names what was refused, and leaves the connection usable', async () => {
    const { batch, numbers } = await opened(backend);
    await batch([insert(1)]);
    const refusal = await batch([insert(2), insert(1), insert(3)]).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: expect.stringMatching(/^SQLITE_CONSTRAINT/) });
    expect(statementIndexOf(refusal)).toBe(1);
    expect(await numbers()).toEqual([1]);
    await batch([insert(2), insert(3)]);
    expect(await numbers()).toEqual([1, 2, 3]);
  });

  test.runIf(backend.locks === 'refuse')('stores nothing if a lock refuses it', async () => {
    const { batch, numbers, adapter, open } = await opened(backend);
    const other = new Kysely<Record<string, never>>({ dialect: (await open()).dialect });
    const transaction = await other.startTransaction().execute();
    await transaction.schema.createTable('contender').addColumn('n', 'integer').execute();
    await expect(batch([insert(1), insert(2)])).rejects.toMatchObject({
      code: expect.stringMatching(/^SQLITE_BUSY/),
    });
    await transaction.rollback().execute();
    await adapter.renew?.();
    expect(await numbers()).toEqual([]);
    await batch([insert(1), insert(2)]);
    expect(await numbers()).toEqual([1, 2]);
  });
});

test('a database in memory has batches, too', async () => {
  const connection = new LocalConnection({ path: ':memory:', busyTimeoutMs: 0 });
  onTestFinished(() => connection.close());
  const { batch, numbers } = await prepare({ dialect: localDialect(connection) });
  await batch([plain('create table numbers (n integer unique)'), insert(1)]);
  await expect(batch([insert(2), insert(1)])).rejects.toThrow(/UNIQUE/);
  expect(await numbers()).toEqual([1]);
});
