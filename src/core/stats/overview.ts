import type { RunStatus } from '../run.ts';

/** How the service is doing at a moment. */
export interface Overview {
  /** How many runs are in each status. The pending ones are the line, the running ones are at work. */
  readonly runs: { readonly [S in RunStatus]: number };
  /**
   * Since when the run has been pending that has been so longest: ISO 8601 UTC. It is looked for among the first 1,000 runs of
   * the line. Null if none is pending.
   */
  readonly pendingSince: string | null;
  /** The size of the database, free pages included. Null if the server does not tell. */
  readonly databaseBytes: number | null;
  /** The time of the answer, by the database's clock. */
  readonly at: string;
}
