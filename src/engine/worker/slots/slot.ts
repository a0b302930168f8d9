import type { ClaimedRun } from '../../../core/ownership/claim.ts';
import { SUSPECT_AFTER_LOST_WORKERS } from '../../../core/run.ts';
import type { RunContext } from '../../../core/run-context.ts';
import type { OwnerJournal } from '../../execution/journal/owner-journal.ts';
import type { RunControl } from '../../execution/run-control.ts';
import type { SlotHolder } from './run-waits.ts';

interface SlotParts {
  readonly run: ClaimedRun;
  readonly control: RunControl;
  readonly journal: OwnerJournal;
  /** Whether the end of the run, or its wait, may let another run start: by its concurrency key, or its job's limits. */
  readonly freesRuns: boolean;
}

/** A claimed run in its slot, and the control over its execution. */
export class Slot implements SlotHolder {
  readonly run: ClaimedRun;
  readonly control: RunControl;
  readonly journal: OwnerJournal;
  readonly freesRuns: boolean;
  /** Resolves when the run has left the slot. Never rejects. */
  done: Promise<void> = Promise.resolve();

  constructor({ run, control, journal, freesRuns }: SlotParts) {
    this.run = run;
    this.control = control;
    this.journal = journal;
    this.freesRuns = freesRuns;
  }

  get context(): RunContext {
    return this.control.lease;
  }

  get concurrencyKey(): string | null {
    return this.run.concurrencyKey;
  }

  /** Hands the run back at its next step, and sends no more telemetry by itself until then. */
  drain(): void {
    this.control.drain();
    this.journal.holdBack();
  }

  /** Hands the run back at once, without the others. */
  handBack(): void {
    this.drain();
    this.control.stop('handed-back');
  }
}

/** A run that lost so many workers that it must not run beside another such run. */
export function isSuspect({ lostCount }: ClaimedRun): boolean {
  return lostCount >= SUSPECT_AFTER_LOST_WORKERS;
}
