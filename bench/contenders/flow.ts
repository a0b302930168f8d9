/** The jobs of the flow workloads. */
export type FlowJob =
  /** Two steps that each store a small result. */
  | 'twoSteps'
  /** The same with a sleep of no time between them. */
  | 'sleepBetween'
  /** Sleeps for an hour. */
  | 'sleeper'
  /** Waits for a signal. */
  | 'approval';

/** What a contender can do besides, for workloads in which runs wait. */
export interface FlowEngine {
  /** Returns the run's id. */
  trigger(job: FlowJob): Promise<string>;
  /** Ends the wait of an `approval`. */
  signal(runId: string): Promise<void>;
  /** The number of runs that wait. */
  countWaiting(): Promise<number>;
  /** Makes all runs that wait due at once, by the tables. The worker must be off. */
  makeDue(): Promise<void>;
}
