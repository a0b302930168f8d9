/** What the worker was doing when something went wrong. */
export type WorkerErrorContext =
  /** A listener of a job's signal threw. */
  | 'abort-listener'
  /** Storing a run's results, end or telemetry. The worker tries again. */
  | 'append'
  /** Cancelling the active runs below a run that was cancelled or whose time was up. The worker tries again. */
  | 'cancel-below'
  /** Claiming runs. The worker tries again. */
  | 'claim'
  /** The database was closed, so the worker has stopped, or a server takes no writes. */
  | 'database'
  /** Executing a run whose end could not be stored. */
  | 'execute'
  /** Reading the journal for streams. */
  | 'feed'
  /** Returning runs to pending. They are taken over when their heartbeat is stale. */
  | 'hand-back'
  /** Renewing leases. */
  | 'heartbeat'
  /** The worker has lost a run. */
  | 'lease'
  /** A plugin failed where nobody waits for it. */
  | 'plugin'
  /** Clearing away old `run:delete` rows. */
  | 'purge'
  /** Firing a schedule, or storing one of a job's definition. The worker tries again, unless the schedule is refused. */
  | 'schedule'
  /** Adding events to the stats. The worker tries again. */
  | 'stats'
  /** Storing log lines and progress. They are lost. */
  | 'telemetry';
