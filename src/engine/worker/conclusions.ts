import { DatabaseUnavailableError } from '../../core/errors/errors.ts';
import type { ClaimedRun, Lease, Store } from '../../core/store.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { RunLog } from '../events/run-log.ts';
import type { Ending } from '../execution/ending.ts';

interface ConclusionsDeps {
  readonly store: Store;
  readonly bus: EventBus;
  readonly log: RunLog;
  /** Told when a run that was put to wait is due. */
  readonly onWait: (dueInMs: number) => void;
}

/** What a worker does once a run has left its slot: tells of it, and hands back what it can't go on with. */
export class Conclusions {
  readonly #deps: ConclusionsDeps;

  constructor(deps: ConclusionsDeps) {
    this.#deps = deps;
  }

  async conclude(run: ClaimedRun, ending: Ending): Promise<void> {
    const { log, bus } = this.#deps;
    switch (ending.kind) {
      case 'failed': {
        const { error, failedStepName } = ending;
        log.failed(run, { error, failedStepName, isHeard: bus.isHeard('run:fail') });
        break;
      }
      case 'retrying':
        log.retried(run, { error: ending.error });
        this.#deps.onWait(ending.dueInMs);
        break;
      case 'waiting':
        this.#deps.onWait(ending.dueInMs);
        break;
      case 'handed-back':
        await this.handBack([run]);
        break;
      case 'database-closed':
        this.#reportLostLease(run, 'the database connection was closed');
        break;
      case 'lease-lost':
        this.#reportLostLease(run, ending.reason);
        break;
      case 'lease-expired':
        this.#reportLostLease(run, 'the database did not renew it in time');
        // If the lease is still this worker's after all, nobody has to wait for it to grow stale.
        await this.handBack([run]);
        break;
      case 'completed':
      case 'cancelled':
      // Its worker hands it back, with others.
      case 'recalled':
        break;
    }
  }

  /** The run could be neither completed nor failed. */
  async abandon(run: ClaimedRun, error: unknown): Promise<void> {
    this.#deps.bus.reportWorkerError({ error, context: 'execute', runId: run.runId });
    // An outage is not the run's doing. Anything else may be: it counts as a lost worker.
    if (error instanceof DatabaseUnavailableError) await this.handBack([run]);
  }

  /** Returns runs to pending; those that can't be now are taken over once their heartbeat is stale. */
  async handBack(leases: readonly Lease[]): Promise<void> {
    if (leases.length === 0) return;
    try {
      for (const run of await this.#deps.store.handBack(leases)) this.#deps.log.handedBack(run);
    } catch (error) {
      this.#deps.bus.reportWorkerError({ error, context: 'hand-back' });
    }
  }

  #reportLostLease({ runId }: Lease, reason: string): void {
    this.#deps.bus.reportWorkerError({ error: `lease lost: ${reason}`, context: 'lease', runId });
  }
}
