import type { DurablyClient } from './durably-client.ts';
import type { ClientRun } from './run-handle.ts';
import type { Transport } from './transport.ts';
import { waitForRun } from './wait.ts';

type Methods = Omit<DurablyClient, 'jobs' | 'run'>;

/** The methods of a client for one run. */
export function runOf(runId: string, client: Methods, transport: Transport): ClientRun {
  return {
    id: runId,
    get: (call) => client.getRun(runId, call),
    wait: (options) =>
      waitForRun(transport, {
        ...options,
        runId,
        firstTry: 'bounded',
        getRun: (signal) => client.getRun(runId, { signal }),
      }),
    events: (options) => client.runEvents(runId, options),
    steps: (call) => client.getSteps(runId, call),
    logs: (query, call) => client.getLogs({ ...query, runId }, call),
    cancel: (call) => client.cancel(runId, call),
    retry: (call) => client.retry(runId, call),
    retrigger: (call) => client.retrigger(runId, call),
    fork: (options, call) => client.fork(runId, options, call),
    signal: (name, payload, options, call) => client.signal(runId, name, payload, options, call),
    reschedule: (options, call) => client.reschedule(runId, options, call),
    delete: (call) => client.deleteRun(runId, call),
  };
}
