import { DatabaseUnavailableError } from '../../../core/errors/errors.ts';
import type { Clock } from '../../../core/time/clock.ts';
import type { OwnStatement } from '../query.ts';
import { WRITE_CHECK } from './dialect-check.ts';

/** How long the database counts as unfit for writes after one failed. */
const DISTRUST_MS = 5_000;

/** A read that only a migrated database answers. */
export const READ: OwnStatement = {
  kind: 'read',
  sql: 'select version from durably_schema_versions limit 1',
  parameters: [],
};

/** Remembers how writes went, so that a health check writes nothing while all is well. */
export class WriteHealth {
  readonly #clock: Clock;
  #failedAtMs: number | undefined;
  /** Since when a write is under way; undefined if none is. */
  #awaySinceMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Call {@link noteEnd} when the write has ended, in whichever way. */
  noteBegin(): void {
    this.#awaySinceMs = this.#clock.monotonicMs();
  }

  noteEnd(): void {
    this.#awaySinceMs = undefined;
  }

  /** Whether a write failed or is under way. Then a read alone does not show whether the database takes writes. */
  get isDoubtful(): boolean {
    return this.#failedAtMs !== undefined || this.#awaySinceMs !== undefined;
  }

  noteFailure(): void {
    this.#failedAtMs = this.#clock.monotonicMs();
  }

  /**
   * A write that changed nothing proves nothing. A write soon after a failure may have been
   * small enough for the room that was left.
   */
  noteSuccess(changedRows: number): void {
    if (changedRows > 0 && !this.#isDistrusted()) this.#failedAtMs = undefined;
  }

  /**
   * The statement that shows whether the database is fit. A full disk may have room for a small
   * write and none for a run, so soon after a failed write no statement is worth a try.
   *
   * @throws {DatabaseUnavailableError} for a while after a failed write, and while one waits for long.
   */
  question({ maxWaitMs }: { readonly maxWaitMs: number }): OwnStatement {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - (this.#awaySinceMs ?? nowMs) > maxWaitMs) {
      throw new DatabaseUnavailableError('A write has been waiting for long');
    }
    if (this.#failedAtMs === undefined) return READ;
    if (this.#isDistrusted()) {
      throw new DatabaseUnavailableError('The last write failed');
    }
    // A full or read-only disk still answers reads.
    return WRITE_CHECK;
  }

  #isDistrusted(): boolean {
    return this.#failedAtMs !== undefined && this.#clock.monotonicMs() - this.#failedAtMs < DISTRUST_MS;
  }
}
