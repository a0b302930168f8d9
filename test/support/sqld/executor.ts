import { type HranaDatabase, toHranaError } from './database.ts';
import { type Nature, natureOf } from './nature.ts';
import type { HranaRequest } from './protocol.ts';
import type { Replica } from './replica.ts';
import type { Stream } from './stream.ts';
import type { WriteQueue } from './write-queue.ts';

export interface ExecutorParts {
  readonly database: HranaDatabase;
  /** Answers reads, if there is one. */
  readonly replica: Replica | undefined;
  readonly queue: WriteQueue;
  /** How long a transaction may hold the lock. */
  readonly transactionMs: number;
}

/** Executes requests. One stream at a time has the database. */
export class Executor {
  readonly #parts: ExecutorParts;
  #turn: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
  }

  natureOf(requests: readonly HranaRequest[], stream: Stream): Nature {
    return stream.release === undefined ? natureOf(requests, stream.sqls) : 'writes';
  }

  /** Never resolves for a write if the queue is broken. */
  async execute(requests: readonly HranaRequest[], stream: Stream): Promise<object[]> {
    const { database, replica, queue } = this.#parts;
    const nature = this.natureOf(requests, stream);
    if (replica !== undefined && nature !== 'writes') {
      this.#throwIfStopped();
      return requests.map((request) => this.#answer(request, stream, replica.database));
    }
    if (stream.release === undefined) await this.#takeTurn(stream);
    if (nature !== 'reads' && queue.brokenBy !== undefined) {
      this.endTransaction(stream);
      return await new Promise<never>(() => undefined);
    }
    const answers = requests.map((request) => this.#answer(request, stream, database));
    if (requests.some(({ type }) => type === 'close')) database.rollback();
    if (database.inTransaction) {
      stream.transactionTimer ??= setTimeout(() => this.#timeOut(stream), this.#parts.transactionMs);
      return answers;
    }
    this.#release(stream);
    if (nature === 'writes') replica?.noteCommit();
    return answers;
  }

  /** Rolls back what the stream has open, and passes the database on. */
  endTransaction(stream: Stream): void {
    if (!stream.hasTurn) return;
    if (!this.#isStopped) this.#parts.database.rollback();
    this.#release(stream);
  }

  stop(): void {
    this.#isStopped = true;
    const { database, replica } = this.#parts;
    database.rollback();
    database.close();
    replica?.close();
  }

  /** The lock is taken from the owner of a transaction that takes too long. Its next statement is told. */
  #timeOut(stream: Stream): void {
    stream.isTimedOut = true;
    this.endTransaction(stream);
  }

  #release(stream: Stream): void {
    clearTimeout(stream.transactionTimer);
    stream.transactionTimer = undefined;
    stream.release?.();
    stream.release = undefined;
    stream.hasTurn = false;
  }

  async #takeTurn(stream: Stream): Promise<void> {
    const turn = this.#turn;
    this.#turn = new Promise((resolve) => {
      stream.release = resolve;
    });
    await turn;
    stream.hasTurn = true;
    this.#throwIfStopped();
  }

  /** A closed database must not be used, because libSQL's native code would panic. */
  #throwIfStopped(): void {
    if (this.#isStopped) throw new Error('the server has stopped');
  }

  #answer(request: HranaRequest, stream: Stream, database: HranaDatabase): object {
    if (stream.isTimedOut && request.type !== 'close') {
      stream.isTimedOut = false;
      return { type: 'error', error: { message: 'Transaction timed out', code: 'TRANSACTION_TIMEOUT' } };
    }
    try {
      return { type: 'ok', response: { type: request.type, ...this.#respond(request, stream, database) } };
    } catch (error) {
      return { type: 'error', error: toHranaError(error) };
    }
  }

  #respond(request: HranaRequest, { sqls }: Stream, database: HranaDatabase): object {
    switch (request.type) {
      case 'execute':
        return { result: database.execute(request.stmt, sqls) };
      case 'batch':
        return { result: database.batch(request.batch, sqls) };
      case 'describe':
        return { result: database.describe(request.sql ?? sqls.get(request.sql_id ?? -1) ?? '') };
      case 'sequence':
        database.sequence(request.sql ?? sqls.get(request.sql_id ?? -1) ?? '');
        return {};
      case 'store_sql':
        sqls.set(request.sql_id, request.sql);
        return {};
      case 'close_sql':
        sqls.delete(request.sql_id);
        return {};
      case 'get_autocommit':
        return { is_autocommit: !database.inTransaction };
      case 'close':
        return {};
    }
  }
}
