import { createClient } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createDurably, DatabaseUnavailableError } from '../../../../src/index.ts';
import { DatabaseOpenError, openDatabase } from '../../../../src/sqlite.ts';
import { databaseError, failStatements } from '../../../support/dialects/intercepted-dialect.ts';
import { rejectionOf } from '../../../support/runs.ts';
import { temporaryFile } from '../../../support/temporary-file.ts';

const access = vi.hoisted(() => ({ refusalOf: (_path: string): string | undefined => undefined }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs/promises')>();
  return {
    ...original,
    access: async (path: string, mode: number) => {
      const code = access.refusalOf(path);
      if (code !== undefined) throw Object.assign(new Error(code), { code });
      await original.access(path, mode);
    },
  };
});

test.each([
  ['a file that may only be read', /test\.db$/, 'EACCES', 'the file is read-only (EACCES)'],
  ['a folder in which nothing can be made', /durably-test-[^/]*$/, 'EACCES', 'is not writable (EACCES)'],
  ['a disk that is mounted read-only', /test\.db$/, 'EROFS', 'the file is read-only (EROFS)'],
  ['a log that may only be read', /-wal$/, 'EACCES', '-wal is read-only (EACCES)'],
])('refuses %s when it is opened, in one line', async (_, path, code, message) => {
  const url = `file:${temporaryFile()}`;
  await (await openDatabase({ url })).close();
  access.refusalOf = (each) => (path.test(each) ? code : undefined);
  onTestFinished(() => {
    access.refusalOf = () => undefined;
  });
  const error = await rejectionOf(openDatabase({ url }));
  expect(error).toBeInstanceOf(DatabaseOpenError);
  expect(error.message).toContain(message);
  expect(error.message).not.toContain('\n');
});

test.each([['an empty file'], ['a migrated one']])(
  'refuses %s at once when it is migrated and proves to be read-only',
  async (state) => {
    const client = createClient({ url: `file:${temporaryFile()}` });
    onTestFinished(() => client.close());
    const dialect = new LibsqlDialect({ client });
    if (state === 'a migrated one') await createDurably({ dialect }).migrate();
    const readOnly = failStatements(dialect, ({ sql }) =>
      /^\s*select/i.test(sql) ? undefined : databaseError('SQLITE_READONLY'),
    );
    const error = await rejectionOf(createDurably({ dialect: readOnly }).init());
    expect(error).toBeInstanceOf(DatabaseUnavailableError);
    expect(error.message).toMatch(/takes no writes: it may only be read/);
  },
);

test('does not refuse a database because of a full disk', async () => {
  const client = createClient({ url: `file:${temporaryFile()}` });
  onTestFinished(() => client.close());
  const dialect = new LibsqlDialect({ client });
  await createDurably({ dialect }).migrate();
  const full = failStatements(dialect, ({ sql }) =>
    /^\s*select/i.test(sql) ? undefined : databaseError('SQLITE_FULL'),
  );
  await createDurably({ dialect: full }).migrate();
});
