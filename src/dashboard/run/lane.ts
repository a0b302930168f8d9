import type { ErrorDetail, StepKind } from '../../client.ts';

/**
 * - `queued`: the run is pending.
 * - `attempt`: a worker executes the run, from a start or a resumption.
 * - `try`: a try of a step.
 * - `wait`: the run or the step waits.
 */
export interface Bar {
  readonly kind: 'queued' | 'attempt' | 'try' | 'wait';
  fromMs: number;
  /** Null while it lasts. */
  toMs: number | null;
  outcome: 'open' | 'completed' | 'failed' | 'cancelled' | 'lost';
  /** What it is, in a few words. */
  text: string;
  error: string | null;
}

/** A row of the timeline: the run itself, or one of its steps. */
export interface Lane {
  readonly name: string;
  /** The step's place; -1 for the run. */
  readonly index: number;
  readonly bars: Bar[];
  kind: StepKind | 'run';
  status: 'open' | 'waiting' | 'completed' | 'failed' | 'cancelled';
  /** How often the step was tried. */
  tries: number;
  output: unknown;
  hasOutput: boolean;
  error: string | null;
  errorDetail: ErrorDetail | null;
  /** The run that it invoked or triggered. */
  childRunId: string | null;
}

export function newLane(name: string, index: number, kind: Lane['kind']): Lane {
  return {
    name,
    index,
    bars: [],
    kind,
    status: 'open',
    tries: 0,
    output: null,
    hasOutput: false,
    error: null,
    errorDetail: null,
    childRunId: null,
  };
}

/** The run that a step has started: `step.trigger` stores its id as the output. */
export function triggeredRun(output: unknown): string | null {
  if (typeof output !== 'object' || output === null || !('runId' in output)) return null;
  const keys = Object.keys(output);
  return keys.length === 1 && typeof output.runId === 'string' ? output.runId : null;
}
