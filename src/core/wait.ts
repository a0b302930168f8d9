import { z } from 'zod';
import { decodeJson } from './json/json.ts';

/** Why a waiting run can't be executed yet. */
export const WAIT_KINDS = ['delay', 'retry', 'sleep'] as const;

/** One thing that a waiting run waits for. */
export interface RunWait {
  /**
   * - `delay`: it was triggered for later.
   * - `retry`: its job, or the step, failed and is tried again.
   * - `sleep`: `step.sleep` or `step.sleepUntil`.
   */
  readonly kind: (typeof WAIT_KINDS)[number];
  /** The step that waits. Null if the run itself waits. */
  readonly stepName: string | null;
  /** When the wait is over; ISO 8601 UTC with ms, by the database's clock. */
  readonly until: string | null;
}

export const waitSchema = z.object({
  kind: z.enum(WAIT_KINDS),
  stepName: z.string().nullable(),
  until: z.iso.datetime().nullable(),
});

/** The data of a `run:wait`, `run:retry` or `step:retry` row. */
export interface WaitData {
  /** When the run, or the step, is due: ms since the epoch. */
  readonly dueAt: number;
  /** What the run waits for. Missing if it does not wait yet. */
  readonly waits?: readonly RunWait[];
  /** How many tries of the step failed. */
  readonly attempt?: number;
}

export const readWait = (data: string | null) => decodeJson(data) as WaitData | undefined;
