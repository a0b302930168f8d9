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
  /** Tries that failed. */
  readonly tries: number;
  /** When its wait is over, or its next try is due: ms since the epoch, by the database's clock. */
  readonly dueAtMs: number;
}

/** The stored result of a completed step, for its replay. */
export interface StepResult {
  readonly state: 'completed';
  readonly name: string;
  readonly outputBytes: number;
  /** JSON text, null for undefined. Missing if it is left to {@link Store.readStepOutputs}. */
  readonly output?: string | null;
}
