import type { RunStatus } from '../run.ts';
import type { StepKind } from '../step.ts';

/** What is stored of a step that an execution may call. */
export type KnownStep = StepResult | OpenStep;

/** A step that waits, or was tried and is to be tried again. */
export interface OpenStep {
  readonly state: 'open';
  readonly name: string;
  readonly kind: StepKind;
  /** When it began to wait, or its last try failed: ms since the epoch, by the database's clock. */
  readonly sinceMs: number;
  /** How many of its tries failed. */
  readonly tries: number;
  /** When its wait is over, or its next try is due: ms since the epoch, by the database's clock. Infinity if it waits for no time. */
  readonly dueAtMs: number;
  /** The run that it has started. */
  readonly child?: ChildRun | undefined;
}

/** A run that a step has started, as it was when its own run was claimed. */
export interface ChildRun {
  readonly runId: string;
  readonly status: RunStatus | 'deleted';
  readonly error: string | null;
  /** JSON text, null for undefined. If it is missing, {@link Store.getRun} reads it. */
  readonly output?: string | null;
}

/** A signal that no step has taken. */
export interface SentSignal {
  /** Its place in the order in which they came. */
  readonly seq: number;
  readonly name: string;
  /** JSON text. If it is missing, {@link Store.readSignal} reads it. */
  readonly payload?: string | undefined;
}

/**
 * The stored outcome of a step, for its replay. Of failed steps, those that failed in the attempt that goes on: a later attempt
 * calls the step again, and does not know it.
 */
export interface StepResult {
  readonly state: 'completed' | 'failed';
  readonly name: string;
  readonly outputBytes: number;
  /** Its place in the journal: a replay answers what was stored first, first. */
  readonly sequence: number;
  /** JSON text: the result, null for undefined; of a failed step a {@link StoredFailure}. If it is missing, {@link Store.readStepOutputs} reads it. */
  readonly output?: string | null;
}

/** How a step failed: its error's text, and JSON text of an {@link ErrorDetail}. */
export type StoredFailure = readonly [error: string, detail: string | null];
