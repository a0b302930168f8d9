import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** From a millisecond to a day. */
const RUN_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400];
const STEP_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300];
const WAIT_SECONDS = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600];

/** What is counted and measured as it happens. */
export function createInstruments(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter<L>({ name, help, labelNames, registers });
  const histogram = <L extends string>(
    name: string,
    help: string,
    { labelNames, buckets }: { readonly labelNames: readonly L[]; readonly buckets: number[] },
  ) => new Histogram<L>({ name, help, labelNames, buckets, registers });
  return {
    triggered: counter('durably_runs_triggered_total', 'Runs that this process has stored', ['job']),
    ended: counter('durably_runs_total', 'Runs that this process has ended', ['job', 'status']),
    retried: counter('durably_run_retries_total', 'Runs whose job failed and is tried again', ['job']),
    takenOver: counter('durably_takeovers_total', 'Runs taken over from lost workers', ['job']),
    leasesLost: counter('durably_leases_lost_total', 'Runs that this process has lost to another one'),
    deliveries: counter('durably_webhook_deliveries_total', 'Tries of this process to deliver a webhook', [
      'outcome',
    ]),
    steps: counter('durably_steps_total', 'Steps that ended', ['job', 'status']),
    stepsRetried: counter('durably_step_retries_total', 'Tries of steps that failed and are repeated', [
      'job',
    ]),
    workerErrors: counter('durably_worker_errors_total', 'Errors of the worker itself', ['context']),
    runSeconds: histogram('durably_run_duration_seconds', 'From the first start of a run to its end', {
      labelNames: ['job', 'status'],
      buckets: RUN_SECONDS,
    }),
    waitSeconds: histogram(
      'durably_run_wait_seconds',
      'How long runs were in line before their first start',
      {
        labelNames: ['job'],
        buckets: WAIT_SECONDS,
      },
    ),
    stepSeconds: histogram('durably_step_duration_seconds', 'How long completed steps took, of all kinds', {
      labelNames: ['job'],
      buckets: STEP_SECONDS,
    }),
  };
}

export type Instruments = ReturnType<typeof createInstruments>;

/**
 * What is read when it is asked for.
 *
 * @param ask sets all of them
 */
export function createGauges(registry: Registry, ask: () => Promise<void>) {
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name, help, labelNames, registers: [registry], collect: ask });
  return {
    active: gauge('durably_active_runs', 'Runs that are pending, waiting or running, by all workers', [
      'job',
      'status',
    ]),
    oldest: gauge('durably_oldest_pending_seconds', 'How long the first run of the line has been pending', [
      'job',
    ]),
    slots: gauge('durably_slots', 'How many runs this process executes at once'),
    slotsInUse: gauge('durably_slots_in_use', 'How many runs this process executes'),
    streams: gauge('durably_streams', 'Readers of events in this process'),
    isUp: gauge('durably_database_up', '1 if the database has answered for these numbers'),
  };
}

export type Gauges = ReturnType<typeof createGauges>;
