/** The right to write for a run: valid while the run is running and no later claim has raised its fence. */
export interface Lease {
  readonly runId: string;
  readonly fence: number;
}

/** A run as a line of the log and an event name it. */
export interface NamedRun {
  readonly runId: string;
  readonly jobName: string;
  readonly attempt: number;
}
