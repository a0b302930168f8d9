import type { RunStatus } from '../run.ts';
import type { Schedule } from '../schedules/schedule.ts';

/** A registered job, as callers see it. */
export interface JobInfo {
  /** The name by which it is triggered. */
  readonly name: string;
  /** JSON Schema of what a trigger accepts. Null if the job's schema can't be expressed in it. */
  readonly input: JsonSchema | null;
  /** JSON Schema of what callers read back. Null without a schema, or if it can't be expressed. */
  readonly output: JsonSchema | null;
  /** The version of its definition. */
  readonly version: number;
  /** What its definition allows its runs. */
  readonly limits: ShownLimits;
  /** Whether no run of it is claimed, because of `pauseJob`. */
  readonly paused: boolean;
  /** What triggers its runs by the clock: the first 100 by id. Null if they were not asked for, or are not for the caller to see. */
  readonly schedules: readonly ShownSchedule[] | null;
  /** How many of its runs are in each status. Null if they were not asked for, or are not for the caller to see. */
  readonly counts: { readonly [S in RunStatus]: number } | null;
}

/** What a job shows of a schedule. `getSchedules` has the rest. */
export interface ShownSchedule
  extends Pick<Schedule, 'id' | 'cron' | 'every' | 'timezone' | 'isPaused' | 'isFixed'> {
  /** Its next slot; null after its end. That of a paused schedule comes only if it is resumed before. */
  readonly next: string | null;
}

/** A JSON Schema (draft 2020-12). */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a job's definition allows its runs. */
export interface ShownLimits {
  /** How often a run whose job threw is tried again. */
  readonly retries: number;
  /** How long a run may take, as a duration; null without a limit. */
  readonly timeout: string | null;
  /** How many of its runs are executed at once; null without such a limit. */
  readonly concurrency: {
    readonly limit: number | null;
    readonly perKey: number | null;
    readonly whileWaiting: 'release' | 'hold';
  } | null;
  /** How many of its runs start in a while; null without a throttle. */
  readonly throttle: {
    readonly limit: number;
    /** In ms. */
    readonly per: number;
    /** Whether it counts for each key. */
    readonly keyed: boolean;
  } | null;
}

/** Which jobs to show. */
export interface JobsQuery {
  /** Only these. An empty list shows none. */
  readonly jobName?: string | readonly string[] | undefined;
  /** False to leave the counts out. */
  readonly counts?: boolean | undefined;
  /** False to leave the schedules out. */
  readonly schedules?: boolean | undefined;
}
