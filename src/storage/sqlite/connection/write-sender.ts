import { DurablyError } from '../../../core/errors/errors.ts';
import type { Clock } from '../../../core/time/clock.ts';
import { TimeUpError } from '../../deadlines.ts';
import type { Rows, SendFailure, Sql, WritePort } from '../../writes.ts';
import type { StatementKind } from '../query.ts';
import type { Closing } from './closing.ts';
import {
  AccessRefusedError,
  classifyDatabaseError,
  type DatabaseFault,
  isTooLarge,
  statementIndexOf,
  unavailable,
} from './database-error.ts';
import { type DialectCheck, WRITE_CHECK } from './dialect-check.ts';
import type { GuardedDriver } from './guard/guarded-driver.ts';
import { rowsOf } from './libsql-client.ts';
import type { ServerWatch } from './server-watch.ts';
import type { WriteHealth } from './write-health.ts';

interface WriteSenderParts {
  readonly clock: Clock;
  readonly driver: GuardedDriver;
  readonly health: WriteHealth;
  readonly watch: ServerWatch;
  readonly closing: Closing;
  readonly check: DialectCheck;
  /** Whether the first write checks the dialect, if `migrate` has not. */
  readonly checksAtFirstUse: boolean;
  readonly executeOnce: (kind: StatementKind, sql: Sql, deadlineMs: number | undefined) => Promise<Rows>;
  /** What a refused statement means: the database may not be migrated. */
  readonly explain: (error: unknown) => Promise<unknown>;
}

/** Sends what the lane takes together, and says what its errors mean. */
export class WriteSender implements WritePort {
  readonly #parts: WriteSenderParts;
  readonly clock: Clock;
  readonly isRemote: boolean;
  readonly sendsBatches: boolean;

  constructor(parts: WriteSenderParts) {
    const { clock, driver } = parts;
    this.#parts = parts;
    this.clock = clock;
    this.isRemote = driver.isRemote;
    this.sendsBatches = driver.batch !== undefined;
  }

  /** Sends what the lane takes together, once. */
  async send(
    statements: readonly Sql[],
    { deadlineMs }: { readonly deadlineMs: number | undefined },
  ): Promise<Rows[]> {
    const { closing, health, watch, check, checksAtFirstUse, executeOnce } = this.#parts;
    if (closing.error) throw closing.error;
    health.noteBegin();
    watch.noteWriteBegins();
    try {
      if (checksAtFirstUse && !check.isWriteChecked) {
        check.noteWritten(await executeOnce('write', WRITE_CHECK, deadlineMs));
      }
      const answers = await this.#sendAll(statements, deadlineMs);
      watch.noteWriteAnswered();
      health.noteSuccess(countChanged(statements, answers));
      return answers.map((rows) => check.readable(rows));
    } catch (error) {
      if (!closing.error) {
        if (this.#isFailure(error)) health.noteFailure();
        if (this.isRemote && this.#isAnswered(error)) watch.noteWriteAnswered();
        else if (this.isRemote) watch.noteWriteLost(error);
      }
      throw error;
    } finally {
      health.noteEnd();
    }
  }

  async #sendAll(statements: readonly Sql[], deadlineMs: number | undefined): Promise<Rows[]> {
    const { executeOnce, driver } = this.#parts;
    const { batch } = driver;
    if (batch !== undefined && (this.isRemote || statements.length > 1)) {
      return (await batch(statements, { deadlineMs })).map(rowsOf);
    }
    const answers: Rows[] = [];
    for (const statement of statements) {
      try {
        answers.push(await executeOnce('write', statement, deadlineMs));
      } catch (error) {
        if (answers.length > 0 && error instanceof TimeUpError) throw new PartlySentError(error);
        throw error;
      }
    }
    return answers;
  }

  /** Whether the database does not take writes. After a lost answer that is unknown, and a refused statement does not show it. */
  #isFailure(error: unknown): boolean {
    return error instanceof DurablyError || ['denied', 'unavailable'].includes(this.#faultOf(error));
  }

  /** Whether the server said why it did not execute the write. A server that stays busy may be stuck. */
  #isAnswered(error: unknown): boolean {
    return isTooLarge(error) || !['uncertain', 'busy', 'blocked'].includes(this.#faultOf(error));
  }

  noteGivenUp(): void {
    this.#parts.health.noteFailure();
  }

  async judge(error: unknown): Promise<SendFailure> {
    const { closing, explain } = this.#parts;
    if (closing.error) return { kind: 'failed', error: closing.error, scope: 'all' };
    if (error instanceof TimeUpError) return { kind: 'time-up', error };
    if (error instanceof PartlySentError) return { kind: 'lost', error: error.cause };
    if (error instanceof DurablyError) return { kind: 'failed', error, scope: 'all' };
    switch (this.#faultOf(error)) {
      case 'statement': {
        const explained = await explain(error).catch((closed: unknown) => closed);
        if (explained instanceof DurablyError) return { kind: 'failed', error: explained, scope: 'all' };
        return { kind: 'refused', error: explained, statementIndex: statementIndexOf(error) };
      }
      case 'busy':
      case 'blocked':
        return { kind: 'busy', error };
      case 'uncertain':
        // If the answer of a batch is too large, nothing was executed. A single write was.
        return { kind: isTooLarge(error) ? 'too-large' : 'lost', error };
      case 'denied':
        return { kind: 'failed', error: new AccessRefusedError(error), scope: 'all' };
      case 'unavailable':
        return { kind: 'failed', error: unavailable(error), scope: 'statement' };
    }
  }

  #faultOf(error: unknown): DatabaseFault {
    return classifyDatabaseError(error, this.isRemote);
  }
}

/** How many rows the writes among the statements returned. Reads are answered while nothing can be written, too. */
function countChanged(statements: readonly Sql[], answers: readonly Rows[]): number {
  let changed = 0;
  for (const [i, { kind }] of statements.entries()) {
    if (kind !== 'read') changed += answers[i]?.length ?? 0;
  }
  return changed;
}

/** Some of the statements of a write were executed before its time was up. */
class PartlySentError extends Error {
  constructor(cause: TimeUpError) {
    super('sent in part', { cause });
  }
}
