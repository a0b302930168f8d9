import type { ClaimedRun } from '../../src/core/ownership/claim.ts';

/** A run as a claim returns it. */
export const claimedRun = (changes: Partial<ClaimedRun> = {}): ClaimedRun => ({
  runId: 'run_1',
  jobName: 'job',
  payload: 'null',
  attempt: 1,
  concurrencyKey: null,
  stepCount: 0,
  lostCount: 0,
  retryCount: 0,
  version: 1,
  databaseAheadMs: 0,
  claimedAtMs: 0,
  dueSinceMs: 0,
  startedAtMs: 0,
  parentRunId: null,
  depth: 0,
  kind: 'start',
  fence: 1,
  ...changes,
});
