import { randomUUID } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import { currentRun } from '../../../src/core/run-context.ts';
import type { Lease } from '../../../src/core/store.ts';

/** Real time, ms: `Date` may be made to lie in this process. */
const now = () => performance.timeOrigin + performance.now();

let file: number | undefined;

/** One line, appended by the kernel in one piece: what is written stays when the process is killed. */
function append(row: object): void {
  file ??= openSync(process.env.CHAOS_LEDGER ?? '/dev/null', 'a');
  writeSync(file, `${JSON.stringify({ at: now(), pid: process.pid, ...row })}\n`);
}

/** What one execution of a job writes into the ledger: the world outside, that no database rolls back. */
export class LedgerPen {
  readonly #run: string;
  readonly #claim: number;
  readonly #execution = randomUUID();

  constructor(runId: string, key?: string) {
    this.#run = runId;
    // The context is the lease. A run that is handed back goes on in the same attempt, but not under the same claim.
    this.#claim = (currentRun() as Lease).fence;
    this.#write({ kind: 'begin', key });
  }

  /** A step took effect. The value is to be its result. */
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
