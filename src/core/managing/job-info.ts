import type { RunStatus } from '../run.ts';

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
  readonly limits: JobLimits;
  /** How many of its runs are in each status. Null if they were not asked for, or are not for the caller to see. */
  readonly counts: { readonly [S in RunStatus]: number } | null;
}

/** A JSON Schema (draft 2020-12). */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a job's definition allows its runs. */
export interface JobLimits {
  /** How often a run whose job threw is tried again. */
  readonly retries: number;
  /** How long a run may take, as a duration; null without a limit. */
  readonly timeout: string | null;
}

/** Which jobs to show. */
export interface JobsQuery {
  /** Only these. An empty list shows none. */
  readonly jobName?: string | readonly string[] | undefined;
  /** False to leave the counts out. */
  readonly counts?: boolean | undefined;
}
