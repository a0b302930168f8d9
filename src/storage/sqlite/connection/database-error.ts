import { DatabaseUnavailableError } from '../../../core/errors/errors.ts';

/**
 * What a driver's error means for the statement that met it. Drivers differ in
 * classes and messages; SQLite's code names are what they share.
 */
export type DatabaseFault =
  /** Another connection holds the lock: not executed, worth another try. */
  | 'busy'
  /** The connection was closed or taken under the statement: not executed, worth another try. */
  | 'blocked'
  /** The answer was lost: the statement may have been executed. */
  | 'uncertain'
  /** Disk full, read-only, corrupt, …: not executed, and no fault of the statement. */
  | 'unavailable'
  /** The server doesn't let us in: not executed, and in vain until somebody mends the token or the rights. */
  | 'denied'
  /** The statement itself: it would fail again. */
  | 'statement';

/** By SQLite's code names, those of sqld (`hrana/stmt.rs` of libsql-server) and of `@libsql/client`. */
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
  // A single write was executed all the same, and a small answer is refused when others read much.
  ['RESPONSE_TOO_LARGE', 'uncertain'],
  ['TRANSACTION_BUSY', 'busy'],
  // Turso refuses writes beyond a plan's quota, say.
  ['BLOCKED', 'unavailable'],
  ['AUTH', 'denied'],
  ['CLIENT_CLOSED', 'blocked'],
  ['TRANSACTION_ACTIVE', 'blocked'],
];

/** Of an answer without a code of the database's: a proxy's, or the server's before it looked at the request. */
const HTTP_FAULTS: ReadonlyMap<number, DatabaseFault> = new Map([
  [401, 'denied'],
  [403, 'denied'],
  // A proxy takes no body of that size.
  [413, 'statement'],
]);

/**
 * `isRemote`: whether the driver talks over a network. There any error that
 * isn't known to mean something else is a lost answer: a broken connection, a
 * proxy's 502, 429, half an answer, a stream that expired.
 */
export function classifyDatabaseError(error: unknown, isRemote: boolean): DatabaseFault {
  const code = errorCode(error);
  const known = code === undefined ? undefined : FAULTS.find(([prefix]) => code.startsWith(prefix));
  if (known) return known[1];
  if (!isRemote) return 'statement';
  // The client refuses a parameter that it can't send.
  if (error instanceof RangeError) return 'statement';
  const status = httpStatus(error);
  return (status === undefined ? undefined : HTTP_FAULTS.get(status)) ?? 'uncertain';
}

/** What `@libsql/client` tells of an answer that is not the protocol's. */
function httpStatus(error: unknown): number | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  if (typeof cause !== 'object' || cause === null || !('status' in cause)) return undefined;
  return typeof cause.status === 'number' ? cause.status : undefined;
}

function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Which statement of a batch was refused; undefined where the driver does not say. */
export function statementIndexOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statementIndex' in error)) return undefined;
  return typeof error.statementIndex === 'number' ? error.statementIndex : undefined;
}

/** Whether the answer was refused for its size. */
export function isTooLarge(error: unknown): boolean {
  return errorCode(error) === 'RESPONSE_TOO_LARGE';
}

/** Whether a client says that it was closed. One that is renewed may say so too, for a moment. */
export function isClosedError(error: unknown): boolean {
  return errorCode(error) === 'CLIENT_CLOSED';
}

/**
 * Whether a question that every SQLite database answers was refused, and not by
 * SQLite: its connection is closed. Drivers have no common way to say so.
 */
export function isRefusedByDriver(error: unknown): boolean {
  return !(errorCode(error)?.startsWith('SQL') ?? false);
}

/** Not permanent: the server may let us in again, without a restart of ours. */
export class AccessRefusedError extends DatabaseUnavailableError {
  constructor(cause: unknown) {
    super('The database refuses access: its auth token is missing, wrong or expired, or lacks rights', {
      cause,
    });
  }
}

export function unavailable(cause: unknown): DatabaseUnavailableError {
  return new DatabaseUnavailableError('The database is unavailable', { cause });
}
