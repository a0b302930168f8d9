import { DatabaseUnavailableError } from '../../../core/errors/errors.ts';

/**
 * What a driver's error means for its statement. Drivers differ in classes and messages, but share
 * SQLite's code names.
 */
export type DatabaseFault =
  /** Another connection holds the lock. The statement was not executed, and a later try may succeed. */
  | 'busy'
  /**
   * The connection was closed or replaced meanwhile. The statement was not executed, and a later try
   * may succeed.
   */
  | 'blocked'
  /** The answer was lost, so the statement may have been executed. */
  | 'uncertain'
  /**
   * The disk is full, read-only or corrupt, for example. The statement was not executed, and is not
   * at fault.
   */
  | 'unavailable'
  /**
   * The server refuses access. The statement was not executed, and will not be until somebody
   * changes the token or the rights.
   */
  | 'denied'
  /** The statement itself is wrong. It would fail again. */
  | 'statement';

/** By the code names of SQLite, of sqld (`hrana/stmt.rs` of libsql-server) and of `@libsql/client`. */
const FAULTS: readonly (readonly [prefix: string, fault: DatabaseFault])[] = [
  ['SQLITE_BUSY', 'busy'],
  ['SQLITE_LOCKED', 'busy'],
  ['SQLITE_ERROR', 'statement'],
  ['SQLITE_CONSTRAINT', 'statement'],
  ['SQLITE_MISMATCH', 'statement'],
  ['SQLITE_RANGE', 'statement'],
  ['SQLITE_TOOBIG', 'statement'],
  ['SQLITE_MISUSE', 'statement'],
  ['SQLITE_', 'unavailable'],
  ['SQL_', 'statement'],
  ['ARGS_', 'statement'],
  // If the request was a single write, it was executed. A small answer is refused, too, while others read much.
  ['RESPONSE_TOO_LARGE', 'uncertain'],
  ['TRANSACTION_BUSY', 'busy'],
  // For example, Turso refuses writes beyond a plan's quota.
  ['BLOCKED', 'unavailable'],
  ['AUTH', 'denied'],
  ['CLIENT_CLOSED', 'blocked'],
  ['TRANSACTION_ACTIVE', 'blocked'],
  ['STREAM_EXPIRED', 'blocked'],
];

/**
 * Statuses without a database error code. They come from a proxy, or from the server before it has
 * looked at the request.
 */
const HTTP_FAULTS: ReadonlyMap<number, DatabaseFault> = new Map([
  [401, 'denied'],
  [403, 'denied'],
  // A proxy accepts no body of that size.
  [413, 'statement'],
]);

/**
 * `isRemote`: whether the driver uses a network. Over a network an unknown error counts as a lost
 * answer: it may be a broken connection, a 502 of a proxy, a 429, or half an answer.
 */
export function classifyDatabaseError(error: unknown, isRemote: boolean): DatabaseFault {
  const code = errorCode(error);
  const known = code === undefined ? undefined : FAULTS.find(([prefix]) => code.startsWith(prefix));
  if (known) return known[1];
  if (!isRemote) return 'statement';
  // The client refuses a parameter that it cannot send.
  if (error instanceof RangeError) return 'statement';
  const status = httpStatus(error);
  return (status === undefined ? undefined : HTTP_FAULTS.get(status)) ?? 'uncertain';
}

/** The HTTP status that `@libsql/client` reports for an answer outside of its protocol. */
function httpStatus(error: unknown): number | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  if (typeof cause !== 'object' || cause === null || !('status' in cause)) return undefined;
  return typeof cause.status === 'number' ? cause.status : undefined;
}

function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The index of the batch's statement that was refused. Undefined if the driver does not say. */
export function statementIndexOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statementIndex' in error)) return undefined;
  return typeof error.statementIndex === 'number' ? error.statementIndex : undefined;
}

/** Whether the answer was refused because of its size. */
export function isTooLarge(error: unknown): boolean {
  return errorCode(error) === 'RESPONSE_TOO_LARGE';
}

/** Whether a client says that it was closed. A client that is being renewed may say so for a moment, too. */
export function isClosedError(error: unknown): boolean {
  return errorCode(error) === 'CLIENT_CLOSED';
}

/**
 * Whether the driver itself, and not SQLite, refused a query that every SQLite database answers. Its
 * connection is closed then. Drivers have no common error for that.
 */
export function isRefusedByDriver(error: unknown): boolean {
  return !(errorCode(error)?.startsWith('SQL') ?? false);
}

/** Not permanent, because the server may grant access again without a restart of this process. */
export class AccessRefusedError extends DatabaseUnavailableError {
  constructor(cause: unknown) {
    super('The database refuses access: its auth token is missing, wrong or expired, or lacks rights', {
      cause,
    });
  }
}

/** The error for callers if the database cannot be used now. */
export function unavailable(cause: unknown): DatabaseUnavailableError {
  return new DatabaseUnavailableError('The database is unavailable', { cause });
}
