import type { Kysely, Transaction } from 'kysely';
import type { ValidationError } from '../../../../core/errors/errors.ts';
import type { Enqueued, NewRun } from '../../../../core/triggers/new-run.ts';
import type { CallerTransaction } from '../../../../core/triggers/trigger-options.ts';
import { refuseMember } from '../../../../core/validation/refusal.ts';
import type { Rows } from '../../../writes.ts';
import { afterCommit } from '../../connection/guard/after-commit.ts';
import type { OptionalSchema } from '../../migrations/optional-schema.ts';
import { ownQuery } from '../../query.ts';
import type { Schema } from '../../schema.ts';
import { toRun, type WholeRunRow, wholeColumns } from '../rows.ts';
import { enqueues, newlyStored } from './enqueue.ts';
import { enqueuedOf } from './found-runs.ts';

/** One statement, and nothing goes along with it. */
const ALONE = {
  isSentAgain: false,
  sentAgain: [false],
  asksLess: false,
  seesAll: true,
  isBatch: false,
  isRemote: false,
};

/**
 * Stores a run in a caller's transaction. The lane is not passed: the caller holds the lock already.
 *
 * @throws {ValidationError} if the transaction is over, or is one of another Kysely instance.
 */
export async function enqueueIn(
  { db, schema }: { readonly db: Kysely<Schema>; readonly schema: OptionalSchema },
  transaction: CallerTransaction,
  run: NewRun,
  { onCommit }: { readonly onCommit: () => void },
): Promise<Enqueued> {
  const trx = transaction as Transaction<Schema>;
  // Each Kysely instance makes one, for itself and its transactions.
  if (trx.getExecutor?.().adapter !== db.getExecutor().adapter) throw notOurs();
  const execute = async (sql: string, parameters: readonly (string | number)[], then?: () => void) => {
    let isReached = false;
    const query = afterCommit(ownQuery({ kind: 'write', sql, parameters }), {
      onReached: () => {
        isReached = true;
      },
      onCommit: () => then?.(),
    });
    try {
      return (await trx.executeQuery(query)).rows as Rows;
    } catch (error) {
      throw isReached ? error : isOver(error);
    }
  };
  // A part of the schema that is missing is added in the same transaction. Its other processes don't see it before.
  for (const sql of schema.missingFor(run)) await execute(sql, []);
  const { statements, decode } = enqueues.compile([[run]], ALONE);
  const answers: Rows[] = [];
  for (const { sql, parameters } of statements) answers.push(await execute(sql, parameters, onCommit));
  const [stored] = decode(answers);
  if (stored?.kind === 'new') return newlyStored(run, stored.createdAt);
  if (stored === undefined) throw new Error('the database has stored no run');
  const whole = async (cut: readonly { readonly key: number }[]) => {
    const keys = JSON.stringify(cut.map(({ key }) => key));
    const sql = `select ${wholeColumns(null)} from durably_runs where seq in (select value from json_each(?))`;
    const rows = (await execute(sql, [keys])) as unknown as readonly WholeRunRow[];
    return new Map(rows.map((row) => [row.seq, toRun(row)]));
  };
  const [enqueued] = await enqueuedOf({ whole, byIds: (sql, ids) => execute(sql, [ids]) }, [run], stored);
  if (enqueued === undefined) throw new Error('the database has stored no run');
  return enqueued;
}

function notOurs(): ValidationError {
  return refuseMember('trx', 'must be a transaction of durably.db');
}

function isOver(cause: unknown): ValidationError {
  return Object.assign(
    refuseMember('trx', 'must be a transaction that is neither committed nor rolled back'),
    {
      cause,
    },
  );
}
