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
  /** The statement itself: it would fail again. */
  | 'statement';

const SQLITE_FAULTS: readonly (readonly [prefix: string, fault: DatabaseFault])[] = [
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
  ['ARGS_INVALID', 'statement'],
  ['CLIENT_CLOSED', 'blocked'],
  ['TRANSACTION_ACTIVE', 'blocked'],
];

/** `isRemote`: whether the driver talks over a network, where an error without a code is a lost answer. */
export function classifyDatabaseError(error: unknown, isRemote: boolean): DatabaseFault {
  const code = errorCode(error);
  const known = code === undefined ? undefined : SQLITE_FAULTS.find(([prefix]) => code.startsWith(prefix));
  if (known) return known[1];
  if (!isRemote) return 'statement';
  return error instanceof RangeError ? 'statement' : 'uncertain';
}

function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
