import * as z from 'zod';
import { decodeJson } from './json/json.ts';

/** Why a waiting run can't be executed yet. */
export const WAIT_KINDS = ['delay', 'retry', 'sleep', 'signal', 'run'] as const;

/** One thing that a waiting run waits for. */
export interface RunWait {
  /**
   * - `delay`: it was triggered for later.
   * - `retry`: its job, or the step, failed and is tried again.
   * - `sleep`: `step.sleep` or `step.sleepUntil`.
   * - `signal`: `step.waitForSignal`.
   * - `run`: `step.invoke` waits for the end of another run.
   */
  readonly kind: (typeof WAIT_KINDS)[number];
  /** The step that waits. Null if the run itself waits. */
  readonly stepName: string | null;
  /** When the wait is over at the latest; ISO 8601 UTC with ms, by the database's clock. Null if only something else ends it. */
  readonly until: string | null;
  /** The name of the signal. */
  readonly signal?: string;
  /** The id of the other run. */
  readonly runId?: string;
}

export const waitSchema = z.object({
  kind: z.enum(WAIT_KINDS),
  stepName: z.string().nullable(),
  until: z.iso.datetime().nullable(),
  signal: z.string().optional(),
  runId: z.string().optional(),
});

/** The data of a `run:wait`, `run:retry` or `step:retry` row. */
export interface WaitData {
  /** When the run, or the step, is due: ms since the epoch. Null if it waits for no time. */
  readonly dueAt: number | null;
  /** What the run waits for. Missing if it does not wait yet. */
  readonly waits?: readonly RunWait[];
  /** How many tries of the step failed. */
  readonly attempt?: number;
}

/** {@link WaitData} of something that is tried again. */
export interface RetryData extends WaitData {
  readonly dueAt: number;
}

export const readWait = (data: string | null) => decodeJson(data) as WaitData | undefined;
export const readRetry = (data: string | null) => decodeJson(data) as RetryData | undefined;
