import {
  CompiledQuery,
  type Dialect,
  Kysely,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { GuardedDialect } from '../../src/storage/guarded-dialect.ts';
import { idle } from '../support/idle.ts';
import { databaseError } from '../support/intercepted-dialect.ts';
import { deferred, until } from '../support/until.ts';

/** A database on a dialect that refuses a statement as busy while the test says so. */
function guarded(options: { refuses: (sql: string) => boolean; reconnect?: () => void | Promise<void> }) {
  const happened: string[] = [];
  const nothing = async () => undefined;
  const connection = {
    executeQuery: async ({ sql }: CompiledQuery) => {
      happened.push(sql);
      if (!options.refuses(sql)) return { rows: [] };
      setImmediate(() => happened.push('a turn of the event loop'));
      throw databaseError('SQLITE_BUSY');
    },
    streamQuery: () => {
      throw new Error('not expected');
    },
  };
  const dialect: Dialect = {
    createDriver: () => ({
      init: nothing,
      acquireConnection: async () => connection,
      beginTransaction: nothing,
      commitTransaction: nothing,
      rollbackTransaction: nothing,
      releaseConnection: nothing,
      destroy: nothing,
    }),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
  const reconnect = options.reconnect ?? (() => undefined);
  const db = new Kysely({ dialect: new GuardedDialect(dialect, { clock: systemClock, reconnect }) });
  const execute = (sql: string) => db.executeQuery(CompiledQuery.raw(sql));
  return { happened, execute };
}

/** Refuses each statement once. */
function onceEach() {
  const seen = new Set<string>();
  return (sql: string) => seen.size < seen.add(sql).size;
}

describe('after a statement was refused as busy', () => {
  test('no other is executed before the connection is renewed', async () => {
    const renewal = deferred();
    let renewals = 0;
    const { happened, execute } = guarded({
      refuses: (sql) => sql === 'first' && renewals === 0,
      reconnect: () => {
        renewals++;
        return renewal.promise;
      },
    });
    const both = [execute('first'), execute('second')];
    await until(() => renewals === 1);
    await idle();
    expect(happened.filter((what) => what === 'first' || what === 'second')).toEqual(['first']);
    renewal.resolve();
    await Promise.all(both);
    expect(happened.filter((what) => what === 'first' || what === 'second')).toEqual([
      'first',
      'second',
      'first',
    ]);
  });

  test('the next has a turn of the event loop of its own', async () => {
    const { happened, execute } = guarded({ refuses: onceEach() });
    await Promise.all([execute('first'), execute('second')]);
    expect(happened.slice(0, 4)).toEqual([
      'first',
      'a turn of the event loop',
      'second',
      'a turn of the event loop',
    ]);
  });
});
