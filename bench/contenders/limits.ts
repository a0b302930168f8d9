/** What a contender with limits of jobs can do, for workloads with such limits. */
export interface LimitsEngine {
  /** Stores pending runs of a job of which two runs of each key are executed at once. */
  triggerKeyed(runs: number, keys: number): Promise<void>;
  /** Takes all places of this many keys, and stores this many runs behind them, by the tables. */
  fill(keys: number, waiting: number): Promise<void>;
  /** Claims once. */
  look(): Promise<void>;
}
