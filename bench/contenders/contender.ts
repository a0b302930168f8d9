/** What a run does: nothing, or five steps that each store a small result. */
export type Job = 'empty' | 'fiveSteps';

export interface OpenOptions {
  /** A database file in WAL mode, or one that this contender has used before. */
  readonly file: string;
  /** A libSQL server in place of the file, where the contender knows how. */
  readonly url?: string | undefined;
  /** Runs at once; the contender's default unless given. */
  readonly concurrency?: number | undefined;
  /** Count what the database is asked. It costs time. */
  readonly isCounting?: boolean | undefined;
}

/** A contender at work on one database. Its worker is off at first. */
export interface Engine {
  trigger(job: Job): Promise<unknown>;
  /** All in the way that the contender has for many; one by one where it has none. */
  triggerMany(job: Job, count: number): Promise<unknown>;
  /** Called for each run once its completion is committed. */
  onCompleted: () => void;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** How many statements were sent so far; begin and commit are statements. */
  statements(): number;
  /** What its own connection answers to a pragma. */
  pragma(name: string): Promise<string>;
  close(): Promise<void>;
}

export interface Contender {
  /** The setting it runs at; every engine at FULL. */
  readonly synchronous: 'FULL' | 'NORMAL';
  open(options: OpenOptions): Promise<Engine>;
  /** SQL that counts completed runs, and their completed steps, from outside. */
  readonly completedRuns: string;
  readonly completedSteps: string;
  /** SQL that counts all runs. */
  readonly allRuns: string;
}

export const STEPS = 5;
export const INPUT = { n: 1 };
export const stepResult = (index: number) => ({ index, ok: true });
