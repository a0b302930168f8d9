import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely';

/** Executes statements in one request and one transaction. Returns the client's result of each. */
export type Batch = (
  statements: readonly { readonly sql: string; readonly parameters: readonly (string | number)[] }[],
  options?: {
    /** When to stop trying while the database is busy, on the monotonic clock. */
    readonly deadlineMs?: number | undefined;
  },
) => Promise<readonly unknown[]>;

/** A connection that may end a read outside of a transaction when the signal aborts. Others ignore it. */
export interface AbortableConnection extends DatabaseConnection {
  executeQuery<R>(query: CompiledQuery, signal?: AbortSignal): Promise<QueryResult<R>>;
}

/** What a driver can do beyond Kysely's interface. */
export interface Adapter {
  /** Whether the database is reached over a network. */
  readonly isRemote: boolean;
  /** Replaces a connection that met SQLITE_BUSY. After that error, libSQL's connections commit nothing. */
  readonly renew?: () => void | Promise<void>;
  readonly batch?: Batch;
  /** Puts a local file into WAL mode. */
  readonly useWal?: () => void;
  /** Asked before the first use. @throws {ValidationError} for a database that durably does not support. */
  readonly check?: () => Promise<void>;
  /** Whether its owner has closed it. Undefined if only the errors of its statements tell. */
  readonly isClosed?: () => boolean | undefined;
}

/** A driver that describes its own abilities. */
export interface AdaptedDriver extends Driver {
  readonly adapter: Adapter;
}
