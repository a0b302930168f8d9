import { randomUUID } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import type { Lease } from '../../../src/core/ownership/lease.ts';
import { currentRun } from '../../../src/core/run-context.ts';

/** Real time, ms. The `Date` of this process may be shifted. */
const now = () => performance.timeOrigin + performance.now();

let file: number | undefined;

/** Writes one line in a single append, which survives a kill of the process. */
function append(row: object): void {
  file ??= openSync(process.env.CHAOS_LEDGER ?? '/dev/null', 'a');
  writeSync(file, `${JSON.stringify({ at: now(), pid: process.pid, ...row })}\n`);
}

/**
 * Writes the ledger of one execution of a job. The ledger stands for the outside world, which no database rolls
 * back.
 */
export class LedgerPen {
  readonly #run: string;
  readonly #claim: number;
  readonly #execution = randomUUID();

  constructor(runId: string, key?: string) {
    this.#run = runId;
    // The context identifies the lease. A handed-back run continues the same attempt under another claim.
    this.#claim = (currentRun() as Lease).fence;
    this.#write({ kind: 'begin', key });
  }

  /** Records the effect of a step. The value must become the step's result. */
  effect(step: string): string {
    const value = randomUUID();
    this.#write({ kind: 'effect', step, value });
    return value;
  }

  mark(mark: string, detail?: string): void {
    this.#write({ kind: 'mark', mark, detail });
  }

  end(): void {
    this.#write({ kind: 'end' });
  }

  #write(row: object): void {
    append({ run: this.#run, claim: this.#claim, execution: this.#execution, ...row });
  }
}
