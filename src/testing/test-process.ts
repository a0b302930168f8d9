import type { DurablyPlugin } from '../core/plugins/plugin.ts';
import type { Append, Store } from '../core/store.ts';
import type { Clock } from '../core/time/clock.ts';
import { assembleDurably, type Durably } from '../create-durably.ts';
import type { DurablyOptions } from '../durably-options.ts';
import type { AnyJobs } from '../engine/runs/catalogue.ts';
import type { TestDatabase } from '../storage/sqlite/testing/test-database.ts';
import { Activity } from './activity.ts';
import { withEnd } from './ending-store.ts';
import type { StepDoubles } from './step-doubles.ts';
import { watchedJob } from './watched-job.ts';
import { watchedPlugin } from './watched-plugin.ts';

interface ProcessParts {
  readonly database: TestDatabase;
  readonly clock: Clock;
  readonly doubles: StepDoubles;
  readonly options: Omit<DurablyOptions, 'dialect' | 'jobs'>;
  readonly jobs: AnyJobs;
}

/** One process with an instance, as far as a test can tell. It may end at any time, and another one goes on with its runs. */
export class TestProcess {
  readonly durably: Durably;
  readonly activity = new Activity();
  readonly #jobNames = new Map<string, string>();
  #isGone = false;
  #shifts = 0;
  #mustLook = false;
  #failure: { readonly error: unknown } | undefined;

  constructor({ database, clock, doubles, options, jobs }: ProcessParts) {
    const isGone = () => this.#isGone;
    const watch = { activity: this.activity, doubles, isGone };
    const watched = Object.entries(jobs).map(([key, job]) => [key, watchedJob(job, watch)] as const);
    const plugins = (options.use ?? []).map((plugin) => watchedPlugin(plugin, this.activity));
    this.durably = assembleDurably(
      {
        ...options,
        dialect: database.dialect(),
        worker: 'on-demand',
        jobs: Object.fromEntries(watched),
        use: [this.#watching(), ...plugins],
      },
      {
        clock: whileAlive(clock, isGone),
        wrapStore: (store) => {
          const ending = withEnd(store, { isGone, onStored: (append) => this.#noteStored(append, doubles) });
          return withToldTime(ending, database);
        },
      },
    );
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Whether its worker executes runs. */
  get isWorking(): boolean {
    return this.#shifts > 0 && !this.#isGone;
  }

  /** Something that its worker does not know of will be due. The next `work` looks for it. */
  expectDue(): void {
    this.#mustLook = true;
  }

  /** Executes what can be executed now, if it does not do that already. */
  work(): void {
    if (this.#isGone || (this.#shifts > 0 && !this.#mustLook)) return;
    this.#mustLook = false;
    this.#shifts++;
    void this.durably
      .processUntilIdle()
      .catch((error: unknown) => {
        this.#failure = { error };
      })
      .finally(() => {
        this.#shifts--;
      });
  }

  /** @throws what its worker failed with since the last call. */
  throwIfFailed(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
  }

  #noteStored({ entries, lease }: Append, doubles: StepDoubles): void {
    const jobName = this.#jobNames.get(lease.runId) ?? '';
    for (const { note } of entries) {
      const { type, stepName } = note;
      if (type !== 'step:complete' || stepName == null) continue;
      if (doubles.takeCrash({ jobName, stepName })) this.#isGone = true;
    }
  }

  #watching(): DurablyPlugin {
    return {
      name: 'durably/testing',
      aroundRun: ({ runId, jobName }, next) => {
        this.#jobNames.set(runId, jobName);
        return this.activity.execution(runId, next);
      },
    };
  }
}

/** A process that has ended has no timers any more. */
function whileAlive(clock: Clock, isGone: () => boolean): Clock {
  return {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    schedule: (delayMs, task) => clock.schedule(delayMs, () => !isGone() && task()),
  };
}

/** Before a step starts a run, the database is told the time. That a worker was seen is of no interest, and would take the same. */
function withToldTime(store: Store, database: TestDatabase): Store {
  return {
    ...store,
    async noteWorker() {},
    append(append) {
      if (append.entries.some(({ note }) => note.child !== undefined)) database.expectRuns();
      return store.append(append);
    },
  };
}
