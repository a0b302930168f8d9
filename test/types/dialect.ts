import type { LibsqlDialect } from '@libsql/kysely-libsql';
import type { Dialect, SqliteDialect } from 'kysely';
import type { DurablyOptions } from '../../src/index.ts';
import type { Database } from '../../src/sqlite.ts';

type Option = DurablyOptions['dialect'];

/** The class of another copy of Kysely, with a private member of its own. */
declare class OtherKysely {
  protected readonly own: string;
}
interface OtherDialect {
  createDriver(): {
    init(): Promise<void>;
    acquireConnection(): Promise<{ executeQuery(query: unknown): Promise<unknown> }>;
  };
  createQueryCompiler(): { compileQuery(node: unknown): unknown };
  createAdapter(): { acquireMigrationLock(db: OtherKysely): Promise<void> };
  createIntrospector(db: OtherKysely): { getTables(): Promise<unknown[]> };
}

/** Each of these is accepted. */
export const taken = (
  ...dialects: [Dialect, SqliteDialect, LibsqlDialect, OtherDialect, Database['dialect']]
): readonly Option[] => dialects;

// @ts-expect-error
export const refused = (connection: { url: string }): Option => connection;
