import type { ClaimedRun } from '../../core/ownership/claim.ts';
import type { JobDefinition } from '../jobs/define-job.ts';
import type { LeftWork } from './ending.ts';
import type { OwnerJournal } from './journal/owner-journal.ts';
import type { RunControl } from './run-control.ts';

/** One claimed run, and what its execution works with. */
export interface Execution {
  readonly run: ClaimedRun;
  readonly job: JobDefinition;
  readonly control: RunControl;
  readonly journal: OwnerJournal;
  /** The database's clock, ms since the epoch. */
  readonly databaseNowMs: () => number;
  /** Whether the job waits for another run. */
  readonly isAwaitingRun: () => boolean;
  /** Called when the input is decoded, or can't be, before the job begins. */
  readonly onInput?: ((run: ClaimedRun) => void) | undefined;
  /** Called when the job is over or the run waits, before that is stored. */
  readonly onEnding?: ((left: LeftWork) => void) | undefined;
}
