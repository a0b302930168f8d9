import type { FlowEngine } from './flow.ts';
import type { LimitsEngine } from './limits.ts';

/** The job of a run: empty, or five steps that each store a small result. */
export type Job = 'empty' | 'fiveSteps';

export interface OpenOptions {
  /** A database file in WAL mode. It is empty, or this contender has used it before. */
  readonly file: string;
  /** A libSQL server to use instead of the file, for contenders that support one. */
  readonly url?: string | undefined;
  /** The server's token, if it asks for one. */
  readonly authToken?: string | undefined;
  /** Concurrent runs. By default the contender decides. */
  readonly concurrency?: number | undefined;
  /** Whether to count the statements. Counting takes time. */
  readonly isCounting?: boolean | undefined;
  /** Whether it has a job with limits, which the workload then uses. */
  readonly hasLimits?: boolean | undefined;
}

/** An open contender on one database. Its worker is off at first. */
export interface Engine {
  trigger(job: Job): Promise<unknown>;
  /** Uses the contender's own batch call. Without one, triggers the runs one by one. */
  triggerMany(job: Job, count: number): Promise<unknown>;
  /** Called for each run after its completion is committed. */
  onCompleted: () => void;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** The number of statements sent so far. Begin and commit count as statements. */
  statements(): number;
  /** Reads a pragma on the contender's own connection. */
  pragma(name: string): Promise<string>;
  close(): Promise<void>;
  /** Claims once. Missing if that is not possible. */
  readonly look?: () => Promise<unknown>;
  /** Removes up to a thousand runs that have ended. Missing if that is not possible. */
  readonly purge?: () => Promise<{ readonly count: number; readonly more: boolean }>;
  /** Missing if its runs can't wait. */
  readonly flow?: FlowEngine;
  /** Missing unless it was opened with limits. */
  readonly limits?: LimitsEngine;
}

export interface Contender {
  /** The `synchronous` setting it runs with. Every engine runs with FULL. */
  readonly synchronous: 'FULL' | 'NORMAL';
  open(options: OpenOptions): Promise<Engine>;
  /** SQL that counts completed runs, and SQL that counts their completed steps. */
  readonly completedRuns: string;
  readonly completedSteps: string;
  /** SQL that counts all runs. */
  readonly allRuns: string;
}

export const STEPS = 5;
export const INPUT = { n: 1 };
export const stepResult = (index: number) => ({ index, ok: true });
