import {
  DatabaseUnavailableError,
  PluginError,
  StepError,
  StepTimeoutError,
} from '../../../core/errors/errors.ts';
import { redact } from '../../../core/json/redacted.ts';
import type { StepTransaction, TransactionEnd } from '../../../core/ownership/step-transaction.ts';
import { type PauseBounds, pauseBeforeRetry } from '../../../core/retries/retry-pause.ts';
import type { Store } from '../../../core/store.ts';
import type { Clock } from '../../../core/time/clock.ts';
import type { CallerTransaction } from '../../../core/triggers/trigger-options.ts';
import type { EventBus } from '../../events/event-bus.ts';
import type { OwnerJournal } from '../journal/owner-journal.ts';
import { readPatiently } from '../patience.ts';
import type { RunControl } from '../run-control.ts';
import { HeldJournal } from './held-journal.ts';
import type { StepCall } from './step-calls.ts';

/** A transaction is rolled back after this time, because a libSQL server ends it after about five seconds. */
const MAX_TRANSACTION_MS = 4_000;
/** How often a transaction that the database has given up is begun again. After that, the try has failed. */
const MAX_LOST = 5;
/** The pauses before that. */
const RETRY_PAUSE: PauseBounds = { firstMs: 100, maxMs: 5_000 };

interface StepTransactionsDeps {
  readonly store: Pick<Store, 'transact' | 'settleAppend'>;
  readonly journal: OwnerJournal;
  readonly control: RunControl;
  readonly clock: Clock;
  readonly bus: EventBus;
  readonly limitMs: number;
}

/** Calls a step's function. Returns its result as JSON text. */
type TransactionCode = (trx: CallerTransaction) => Promise<string | null>;

/** What a try came to. `again`: nothing is stored, and not by the function's fault. */
type Performed =
  | { readonly kind: 'stored'; readonly output: string | null }
  | { readonly kind: 'again'; readonly error: unknown; readonly hasBegun: boolean };

/**
 * How long a transaction may take. Leases are not renewed while it is open, and the next renewal may have to wait for one more
 * transaction.
 */
export function transactionLimitMs({
  heartbeatIntervalMs,
  staleThresholdMs,
}: {
  readonly heartbeatIntervalMs: number;
  readonly staleThresholdMs: number;
}): number {
  return Math.min(MAX_TRANSACTION_MS, (staleThresholdMs - heartbeatIntervalMs) / 3);
}

/** The transactions of one execution's steps, one at a time. */
export class StepTransactions {
  readonly #deps: StepTransactionsDeps;

  constructor(deps: StepTransactionsDeps) {
    this.#deps = deps;
  }

  /** How long one may take, ms. */
  get limitMs(): number {
    return this.#deps.limitMs;
  }

  /**
   * Stores the result of `code` in the transaction in which it is called, and returns it. While the database gives the
   * transaction up, it is called again.
   *
   * @throws what `code` throws, after the transaction was rolled back.
   * @throws {RunCancelledError | LeaseLostError} if the run is no longer this worker's.
   */
  async perform(call: StepCall, code: TransactionCode): Promise<string | null> {
    const { journal, control, clock } = this.#deps;
    const held = new HeldJournal(await journal.hold(), { lease: control.lease, clock });
    try {
      let lost = 0;
      for (let tries = 0; ; tries++) {
        control.throwIfOver();
        const performed = await this.#once({ held, call, code });
        if (performed.kind === 'stored') return performed.output;
        const { error, hasBegun } = performed;
        if (hasBegun && ++lost > MAX_LOST) throw error;
        if (error instanceof DatabaseUnavailableError && error.permanent) throw error;
        if (tries === 0) this.#report(error);
        await Promise.race([pauseBeforeRetry(clock, tries, RETRY_PAUSE), control.whenOver()]);
      }
    } finally {
      held.release();
    }
  }

  async #once({ held, call, code }: Performing): Promise<Performed> {
    const { store, control } = this.#deps;
    const { runId, fence } = control.lease;
    const lease = { runId, fence };
    let output: string | null = null;
    let number = 0;
    let isStored = false;
    let end: TransactionEnd;
    try {
      end = await store.transact({ lease, number: held.begin() }, async (transaction) => {
        await this.#inTime(call, async (throwIfLate) => {
          output = await code(transaction.trx);
          throwIfLate();
          const recorded = await this.#record(held, { call, output, transaction });
          throwIfLate();
          number = recorded.number;
          if (recorded.result === 'refused') throw ENDED;
        });
        control.throwIfOver();
      });
      isStored =
        end.kind === 'committed' ||
        (end.kind === 'unconfirmed' && (await this.#isSettled({ lease, number })));
    } catch (error) {
      if (error !== ENDED) throw error;
      await this.#isSettled({ lease, number });
      throw new StepError(`Step "${call.name}": its transaction was ended by its function`);
    } finally {
      if (isStored) held.commit();
      else held.rollBack();
    }
    if (isStored) return { kind: 'stored', output };
    if (end.kind === 'refused') this.#loseLease();
    const error = 'error' in end ? end.error : undefined;
    return { kind: 'again', error, hasBegun: end.kind !== 'lost' || end.hasBegun };
  }

  /** @throws {StepError} for a result that the database refuses, or a plugin can't encode. */
  async #record(
    held: HeldJournal,
    {
      call,
      output,
      transaction,
    }: { readonly call: StepCall; readonly output: string | null; readonly transaction: StepTransaction },
  ) {
    const note = {
      type: 'step:complete',
      stepKind: 'transaction',
      stepName: call.name,
      stepIndex: call.index,
      durationMs: this.#deps.clock.monotonicMs() - call.startMs,
      data: call.isSensitive ? redact(output) : output,
    } as const;
    try {
      return await held.record(note, transaction.append);
    } catch (error) {
      const what = error instanceof PluginError ? error.message : 'the database refused its result';
      throw new StepError(`Step "${call.name}": ${what}`, { cause: error });
    }
  }

  /**
   * Gives `work` up when the time is up or the run is over.
   *
   * @throws {StepTimeoutError} once the time is up, though the work may go on.
   */
  async #inTime(call: StepCall, work: (throwIfLate: () => void) => Promise<void>): Promise<void> {
    const { clock, control, limitMs } = this.#deps;
    control.throwIfOver();
    let late: Error | undefined;
    let cancelTimer: () => void = () => undefined;
    const timeUp = new Promise<void>((resolve) => {
      cancelTimer = clock.schedule(limitMs, () => {
        late = new StepTimeoutError(call.name, limitMs);
        resolve();
      });
    });
    const throwIfLate = () => {
      control.throwIfOver();
      if (late !== undefined) throw late;
    };
    const working = work(throwIfLate);
    // It may fail when nobody waits for it any more.
    working.catch(() => undefined);
    try {
      await Promise.race([working, timeUp, control.whenOver()]);
      throwIfLate();
    } finally {
      cancelTimer();
    }
  }

  /** Whether an append is stored whose answer is missing. Asked however long the database is unavailable. */
  async #isSettled(append: Parameters<Store['settleAppend']>[0]): Promise<boolean> {
    const { store, control, clock } = this.#deps;
    const settled = await readPatiently({ control, clock }, () => store.settleAppend(append));
    if (settled === 'refused') this.#loseLease();
    return settled === 'stored';
  }

  /** @throws always. */
  #loseLease(): void {
    const { control } = this.#deps;
    control.stop('lease-lost');
    control.throwIfOver();
  }

  #report(error: unknown): void {
    const { bus, control } = this.#deps;
    bus.reportWorkerError({ error, context: 'append', runId: control.lease.runId });
  }
}

interface Performing {
  readonly held: HeldJournal;
  readonly call: StepCall;
  readonly code: TransactionCode;
}

/** Thrown to leave a transaction that is no longer the one that began. */
const ENDED = new Error('the transaction has ended');
