import { ConflictError, DatabaseUnavailableError, ValidationError } from '../../core/errors/errors.ts';
import type { DueSchedule, StoredSchedule } from '../../core/schedules/schedule.ts';
import type { Store } from '../../core/store.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { JobDefinition } from '../jobs/define-job.ts';
import type { Registry } from '../jobs/registry.ts';
import type { Plugins } from '../plugins/plugins.ts';
import { putSchedule } from './put-schedule.ts';

interface FixedDeps {
  readonly store: Store;
  readonly bus: EventBus;
  readonly registry: Registry;
  readonly maxInputBytes: number;
  readonly plugins: Plugins;
}

/** What became of those that were not stored before. */
interface Storing {
  readonly stored: readonly StoredSchedule[];
  /** Why others could not be stored now. They are tried again with the next call. */
  readonly failures: readonly unknown[];
}

/** The schedules in the definitions of this process's jobs. */
export class FixedSchedules {
  readonly #deps: FixedDeps;
  /** The definitions whose schedules are stored, or were refused. */
  readonly #done = new Set<JobDefinition>();
  #storing: Promise<Storing> | undefined;

  constructor(deps: FixedDeps) {
    this.#deps = deps;
  }

  get areStored(): boolean {
    return this.#deps.registry.scheduled().every((job) => this.#done.has(job));
  }

  /**
   * Stores those that this process has not stored yet. A process does so once, so of several versions
   * at once the one that was started last decides. A refused schedule is reported, and not tried again. Never rejects.
   */
  async store(): Promise<Storing> {
    this.#storing ??= this.#storeAll().finally(() => {
      this.#storing = undefined;
    });
    return await this.#storing;
  }

  /** Whether the schedule was in the definition of a job of this process, and is so no more. */
  isDropped({ jobName, fixedVersion }: DueSchedule): boolean {
    const job = this.#deps.registry.get(jobName);
    if (fixedVersion === null || job === undefined || job.schedule !== undefined) return false;
    return versionOf(job) >= fixedVersion;
  }

  /** Removes a schedule that its job's definition has no more. */
  async remove({ id, jobName }: DueSchedule): Promise<void> {
    const job = this.#deps.registry.get(jobName);
    if (job !== undefined) await this.#deps.store.deleteSchedule({ id, fixedVersion: versionOf(job) });
  }

  async #storeAll(): Promise<Storing> {
    const stored: StoredSchedule[] = [];
    const failures: unknown[] = [];
    for (const job of this.#deps.registry.scheduled()) {
      const { schedule } = job;
      if (schedule === undefined || this.#done.has(job)) continue;
      try {
        const by = { kind: 'definition', version: versionOf(job) } as const;
        stored.push(await putSchedule(this.#deps, { id: job.name, job, schedule, by }));
        this.#done.add(job);
      } catch (error) {
        if (isFinal(error)) {
          this.#done.add(job);
          this.#deps.bus.reportWorkerError({ error, context: 'schedule' });
          continue;
        }
        failures.push(error);
        // The others would fail, too.
        if (error instanceof DatabaseUnavailableError) break;
      }
    }
    return { stored, failures };
  }
}

/** The schedule itself is wrong, or may not be put. Anything else may go away: a plugin, for example, that can't encode it now. */
function isFinal(error: unknown): boolean {
  return error instanceof ValidationError || error instanceof ConflictError;
}

function versionOf({ version = 1 }: JobDefinition): number {
  return version;
}
