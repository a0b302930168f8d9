import type { Transaction } from 'kysely';
import { ConflictError, DatabaseUnavailableError } from '../../../../core/errors/errors.ts';
import type { Append, AppendResult } from '../../../../core/ownership/append.ts';
import type {
  AppendId,
  StepTransaction,
  TransactionEnd,
} from '../../../../core/ownership/step-transaction.ts';
import { type PauseBounds, pauseBeforeRetry } from '../../../../core/retries/retry-pause.ts';
import { currentStep } from '../../../../core/run-context.ts';
import type { Sql } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import { classifyDatabaseError, unavailable } from '../../connection/database-error.ts';
import { afterCommit, type OpenTransaction } from '../../connection/guard/after-commit.ts';
import { ownQuery } from '../../query.ts';
import type { Schema } from '../../schema.ts';
import { NOW_MS } from '../../sql.ts';
import { isStoredBy, statementsWithin } from '../append.ts';
import { isFrom } from '../transitions.ts';

/** The pauses between the tries to begin while the database is busy. */
const BUSY_PAUSE: PauseBounds = { firstMs: 4, maxMs: 100 };

/** The writes of workers. They may wait for the transaction, because its function does not wait for them. */
const OF_WORKERS: ReadonlySet<string> = new Set(['renew', 'append', 'hand-back', 'settle', 'wake', 'claim']);

/**
 * The first statement is a write, so that a file's lock is taken before the function is called. From then on nobody else changes
 * the run, and what the function reads stays as it is.
 */
const BEGIN = `
update durably_runs set heartbeat_at = ${NOW_MS}, append_count = ?3
where id = ?1 and fence = ?2 and append_count < ?3 and ${isFrom('complete')}
returning id`;

/** Thrown to roll a transaction back whose lease is no longer held. */
const REFUSED = new Error('the lease is no longer held');

type Work = (transaction: StepTransaction) => Promise<void>;

/** Calls `work` in a transaction of a run's owner, while no other write is under way. */
export async function transact(connection: Connection, begin: AppendId, work: Work): Promise<TransactionEnd> {
  let open: object | undefined;
  const refuse = () =>
    open !== undefined && currentStep()?.transaction === open ? waitsForItself() : undefined;
  const once = () =>
    tryOnce(connection, begin, {
      work,
      onOpen: (trx) => {
        open = trx;
        connection.refusal = refuse;
      },
      onOver: () => {
        open = undefined;
        connection.refusal = undefined;
      },
    });
  return await connection.lane.alone(
    () => untilBegun(connection, once),
    (kind) => (OF_WORKERS.has(kind) ? undefined : refuse()),
  );
}

/** Tries again while the database is busy. */
async function untilBegun(
  connection: Connection,
  once: () => Promise<TransactionEnd>,
): Promise<TransactionEnd> {
  const { clock, isRemote } = connection;
  const deadlineMs = connection.callerDeadline();
  for (let tries = 0; ; tries++) {
    const end = await once();
    if (end.kind !== 'lost') return end;
    const fault = classifyDatabaseError(end.error, isRemote);
    const isBusy = !end.hasBegun && (fault === 'busy' || fault === 'blocked');
    if (!isBusy || clock.monotonicMs() >= deadlineMs) return { ...end, error: toUnavailable(end.error) };
    await pauseBeforeRetry(clock, tries, BUSY_PAUSE);
  }
}

async function tryOnce(
  connection: Connection,
  { lease, number }: AppendId,
  {
    work,
    onOpen,
    onOver,
  }: { readonly work: Work; readonly onOpen: (trx: object) => void; readonly onOver: () => void },
): Promise<TransactionEnd> {
  let state: 'beginning' | 'open' | 'committing' = 'beginning';
  let opened: OpenTransaction | undefined;
  try {
    return await connection.db.transaction().execute(async (trx) => {
      const parameters = [lease.runId, lease.fence, number];
      const begun = afterCommit(ownQuery({ kind: 'write', sql: BEGIN, parameters }), {
        onSeen: (transaction) => {
          opened = transaction;
        },
        onCommit: () => undefined,
        takesLock: true,
      });
      const { rows } = await trx.executeQuery(begun);
      if (rows.length === 0) throw REFUSED;
      state = 'open';
      onOpen(trx);
      try {
        await work({ trx, append: (append) => appendWithin(trx, append) });
      } finally {
        onOver();
        // The function may go on.
        opened?.close();
      }
      // The function may have caught the error.
      if (opened?.fault !== undefined) throw opened.fault;
      state = 'committing';
      return { kind: 'committed' };
    });
  } catch (error) {
    return endAfter(error, { connection, state, fault: opened?.fault });
  }
}

function endAfter(
  error: unknown,
  {
    connection,
    state,
    fault,
  }: {
    readonly connection: Connection;
    readonly state: 'beginning' | 'open' | 'committing';
    readonly fault: unknown;
  },
): TransactionEnd {
  if (error === REFUSED) return { kind: 'refused' };
  if (state === 'committing') return { kind: 'unconfirmed', error };
  if (state === 'open' && fault === undefined) throw error;
  const hasBegun = state === 'open';
  if (!hasBegun && classifyDatabaseError(error, connection.isRemote) === 'statement') {
    if (!(error instanceof DatabaseUnavailableError)) throw error;
  }
  return { kind: 'lost', error: fault ?? error, hasBegun };
}

async function appendWithin(trx: Transaction<Schema>, append: Append): Promise<AppendResult> {
  const rows: Readonly<Record<string, unknown>>[] = [];
  for (const statement of statementsWithin(append)) rows.push(...(await execute(trx, statement)));
  return isStoredBy(rows, append) ? 'stored' : 'refused';
}

async function execute(trx: Transaction<Schema>, { sql, parameters }: Sql) {
  const { rows } = await trx.executeQuery(ownQuery({ kind: 'write', sql, parameters }));
  return rows as Readonly<Record<string, unknown>>[];
}

function toUnavailable(error: unknown): unknown {
  return error instanceof DatabaseUnavailableError ? error : unavailable(error);
}

function waitsForItself(): ConflictError {
  return new ConflictError(
    'Inside of step.transaction this call would wait for that transaction: use its trx, or call it before or after the step',
  );
}
