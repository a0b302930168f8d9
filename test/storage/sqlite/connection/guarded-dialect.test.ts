import {
  CompiledQuery,
  type Dialect,
  Kysely,
  SqliteAdapter,
  SqliteDialect,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import Database from 'libsql';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DatabaseUnavailableError } from '../../../../src/core/errors/errors.ts';
import { type Clock, systemClock } from '../../../../src/core/time/clock.ts';
import { GuardedDialect } from '../../../../src/storage/sqlite/connection/guard/guarded-dialect.ts';
import { ownQuery } from '../../../../src/storage/sqlite/query.ts';
import { databaseError } from '../../../support/dialects/intercepted-dialect.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { idle } from '../../../support/idle.ts';
import { deferred, until } from '../../../support/until.ts';

/** A database whose dialect refuses a statement as busy while the test says so. */
function guarded(options: {
  refuses: (sql: string) => boolean;
  reconnect?: () => void | Promise<void>;
  clock?: Clock;
}) {
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
      commitTransaction: async () => void happened.push('commit'),
      rollbackTransaction: nothing,
      releaseConnection: nothing,
      destroy: nothing,
    }),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
  const reconnect = options.reconnect ?? (() => undefined);
  const db = new Kysely({
    dialect: new GuardedDialect(dialect, { clock: options.clock ?? systemClock, reconnect }),
  });
  const execute = (sql: string) =>
    db.executeQuery(ownQuery({ kind: sql.startsWith('select') ? 'read' : 'write', sql, parameters: [] }));
  return { happened, execute, db };
}

/** Refuses each statement once. */
function onceEach() {
  const seen = new Set<string>();
  return (sql: string) => seen.size < seen.add(sql).size;
}

describe('after a statement failed as busy', () => {
  test('no other statement runs before the connection is renewed', async () => {
    const renewal = deferred();
    let renewals = 0;
    const { happened, execute } = guarded({
      refuses: (sql) => sql === 'first' && renewals === 0,
      reconnect: () => {
        renewals++;
        return renewal.promise;
      },
    });
    const both = [execute('first'), execute('select second')];
    await until(() => renewals === 1);
    await idle();
    expect(happened.filter((what) => what === 'first' || what === 'select second')).toEqual(['first']);
    renewal.resolve();
    await Promise.all(both);
    expect(happened.filter((what) => what === 'first' || what === 'select second')).toEqual([
      'first',
      'select second',
      'first',
    ]);
  });

  test('the next statement runs in its own turn of the event loop', async () => {
    const { happened, execute } = guarded({ refuses: onceEach() });
    await Promise.all([execute('first'), execute('select second')]);
    expect(happened.slice(0, 4)).toEqual([
      'first',
      'a turn of the event loop',
      'select second',
      'a turn of the event loop',
    ]);
  });
});

describe('while the database is locked', () => {
  test('one write and one read retry, and the others wait behind them', async () => {
    let isLocked = true;
    const { happened, execute } = guarded({ refuses: () => isLocked });
    const all = Promise.all(['a', 'b', 'select c', 'select d', 'e'].map(execute));
    await until(() => happened.filter((what) => what === 'a').length > 2);
    const asked = new Set(happened.filter((what) => what !== 'a turn of the event loop'));
    expect(asked).toEqual(new Set(['a', 'select c']));
    happened.length = 0;
    isLocked = false;
    await all;
    expect(happened.filter((what) => /^[abe]$/.test(what))).toEqual(['a', 'b', 'e']);
    expect(happened.filter((what) => what.startsWith('select'))).toEqual(['select c', 'select d']);
  });

  test('each statement fails ten seconds after its call, and is not executed later', async () => {
    const clock = new FakeClock();
    let isLocked = true;
    const { happened, execute } = guarded({ refuses: () => isLocked, clock });
    const answeredMs: Record<string, number> = {};
    const ask = (sql: string) => {
      execute(sql).catch((error: unknown) => {
        expect(error).toBeInstanceOf(DatabaseUnavailableError);
        answeredMs[sql] = clock.monotonicMs();
      });
    };
    const letPass = async (ms: number) => {
      for (let passedMs = 0; passedMs < ms; passedMs += 100) {
        await idle();
        clock.advance(100);
      }
      await idle();
    };
    for (const name of ['a', 'b', 'c']) {
      ask(name);
      ask(`select ${name}`);
      await letPass(4_000);
    }
    await letPass(5_900);
    const bounds = { a: 10_000, b: 14_000, 'select a': 10_000, 'select b': 14_000 };
    expect(Object.keys(answeredMs).sort()).toEqual(Object.keys(bounds).sort());
    for (const [sql, boundMs] of Object.entries(bounds)) {
      expect(answeredMs[sql]).toBeGreaterThanOrEqual(boundMs);
      expect(answeredMs[sql]).toBeLessThanOrEqual(boundMs + 200);
    }
    happened.length = 0;
    isLocked = false;
    await letPass(200);
    expect(happened).toEqual(expect.arrayContaining(['c', 'select c']));
    expect(happened).toHaveLength(2);
  });
});

describe('commits to a local database', () => {
  test('happen at most once in each turn of the event loop, whoever commits', async () => {
    const { happened, execute, db } = guarded({ refuses: () => false });
    let isCounting = true;
    const count = () => {
      happened.push('a turn');
      if (isCounting) setImmediate(count);
    };
    setImmediate(count);
    const writes = Array.from({ length: 20 }, (_, i) => execute(`write ${i}`));
    const transaction = db.transaction().execute((trx) => trx.executeQuery(CompiledQuery.raw('inside')));
    await Promise.all([...writes, transaction]);
    isCounting = false;
    const commits = happened.filter((what) => what !== 'a turn' && what !== 'inside');
    expect(commits).toHaveLength(21);
    const turns = happened.join().split('a turn');
    for (const turn of turns) {
      expect(turn.split(',').filter((what) => what !== '' && what !== 'inside').length).toBeLessThan(2);
    }
  });

  test('do not delay reads', async () => {
    const { happened, execute } = guarded({ refuses: () => false });
    setImmediate(() => happened.push('the next turn'));
    const all = ['write 1', 'write 2', 'select 1', 'select 2'].map(execute);
    await Promise.all(all);
    expect(happened.indexOf('select 2')).toBeLessThan(happened.indexOf('the next turn'));
    expect(happened.indexOf('write 2')).toBeGreaterThan(happened.indexOf('the next turn'));
  });
});

test('a caller that holds a connection keeps it while others wait for one', async () => {
  const database = new Database(':memory:');
  const inner = new SqliteDialect({ database: database as never });
  const db = new Kysely({
    dialect: new GuardedDialect(inner, { clock: systemClock, reconnect: () => undefined }),
  });
  onTestFinished(() => db.destroy());
  const select = (n: number) => CompiledQuery.raw(`select ${n} as n`);
  let others: Promise<unknown> | undefined;
  await db.connection().execute(async (mine) => {
    await mine.executeQuery(select(1));
    others = Promise.all([db.executeQuery(select(2)), db.executeQuery(select(3))]);
    await idle();
    await mine.executeQuery(select(4));
  });
  expect(await others).toMatchObject([{ rows: [{ n: 2 }] }, { rows: [{ n: 3 }] }]);
});
