import type { JournalNote } from '../events.ts';
import type { StepKind } from '../step.ts';
import type { ChildStart } from '../triggers/new-run.ts';
import type { Lease } from './lease.ts';

/** One event that a run's owner stores. If it is an outcome, the same statement updates the step or the run. */
export interface OwnerNote extends JournalNote {
  /** Of a run that fails: its time was up, so the active runs below it are to be cancelled. */
  readonly isTimeOut?: boolean | undefined;
  /** Of a step with an outcome; `run` unless given. */
  readonly stepKind?: StepKind | undefined;
  /** Of a step with an outcome: the signal that it takes. */
  readonly signalSeq?: number | undefined;
  /** The run that a starting step triggers. Its payload is the note's data. */
  readonly child?: ChildStart | undefined;
  /** It holds nothing of the user's, so no plugin encodes it. */
  readonly isPlain?: boolean | undefined;
  readonly type:
    | 'step:start'
    | 'step:complete'
    | 'step:fail'
    | 'step:retry'
    | 'run:progress'
    | 'run:emit'
    | 'run:wait'
    | 'run:retry'
    | 'log:write'
    | 'run:complete'
    | 'run:fail';
}

/** A note, and when its owner made it. */
export interface OwnerEntry {
  readonly note: OwnerNote;
  /** On the owner's monotonic clock. */
  readonly atMs: number;
}

export interface Append {
  readonly lease: Lease;
  /** 1, 2, … since the claim. With it, an append that is sent twice is stored once. */
  readonly number: number;
  /** When it is sent, on the clock of its entries. Only the difference to their times is used. */
  readonly sentAtMs: number;
  readonly entries: readonly OwnerEntry[];
  /** Whether it was sent before, and may be stored. */
  readonly isRepeated: boolean;
}

/** `refused`: the lease is no longer held, and nothing was stored. */
export type AppendResult = 'stored' | 'refused';
