import { DatabaseUnavailableError } from '../../../core/errors/errors.ts';
import type { ClaimedRun } from '../../../core/ownership/claim.ts';
import type { Lease } from '../../../core/ownership/lease.ts';
import type { Store } from '../../../core/store.ts';
import type { EventBus } from '../../events/event-bus.ts';
import type { RunLog } from '../../events/run-log.ts';
import type { Ending } from '../../execution/ending.ts';

interface ConclusionsDeps {
  readonly store: Store;
  readonly bus: EventBus;
  readonly log: RunLog;
  /** Called when a run has failed because its time was up. */
  readonly onTimedOut: () => void;
  /** Told when a run that was put to wait is due. */
  readonly onWait: (dueInMs: number) => void;
}

/**
 * What a worker does when a run has left its slot: it reports the ending, and hands back a run that
 * it could not finish.
 */
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
      case 'timed-out':
        await this.conclude(run, ending.end);
        this.#deps.onTimedOut();
        break;
      case 'retrying':
        log.retried(run, { error: ending.error });
        this.#deps.onWait(ending.dueInMs);
        break;
      case 'waiting':
        if (ending.dueInMs !== undefined) this.#deps.onWait(ending.dueInMs);
        break;
      case 'handed-back':
        await this.handBack([run]);
        break;
      case 'database-closed':
        // It was lost to nobody: it is taken over by whoever has a connection.
        bus.reportWorkerError({
          error: 'the database connection was closed under the run',
          context: 'database',
          runId: run.runId,
        });
        break;
      case 'lease-lost':
        this.#reportLostLease(run, ending.reason);
        break;
      case 'lease-expired':
        this.#reportLostLease(run, 'the database did not renew it in time');
        // The lease may still be this worker's. Handing it back saves others from waiting until it is stale.
        await this.handBack([run]);
        break;
      case 'completed':
      case 'cancelled':
      // The worker hands it back together with others.
      case 'recalled':
        break;
    }
  }

  /** Called when the run could be neither completed nor failed. */
  async abandon(run: ClaimedRun, error: unknown): Promise<void> {
    this.#deps.bus.reportWorkerError({ error, context: 'execute', runId: run.runId });
    // An outage is not the run's fault. Any other error may be, so the run counts as one that lost its
    // worker.
    if (error instanceof DatabaseUnavailableError) await this.handBack([run]);
  }

  /**
   * Returns runs to pending. Runs that cannot be returned now are taken over when their heartbeat is
   * stale.
   */
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
