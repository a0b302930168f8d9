import { ConflictError, UnknownJobError } from '../../core/errors/errors.ts';
import type { ClaimedRun, JobTerms } from '../../core/ownership/claim.ts';
import type { JobLimits } from '../../core/triggers/limits.ts';
import { nearestName, shorten } from '../../core/validation/known-names.ts';
import { refusalOf } from '../../core/validation/refusal.ts';
import { shownValue } from '../../core/validation/shown-value.ts';
import {
  WEBHOOK_JOB,
  type WebhookSubscription,
  type WebhookSubscriptions,
} from '../../core/webhooks/webhooks.ts';
import { checkDefinition, type JobDefinition, termsOf } from './define-job.ts';
import { limitsOf } from './job-limits.ts';

/** The most characters of an unknown name that an error repeats. */
const MAX_TOLD_NAME = 256;

/** The registered jobs of this process, by name. */
export class Registry {
  readonly #jobs = new Map<string, JobDefinition>();
  readonly #terms = new Map<string, JobTerms>();
  readonly #limits = new Map<string, JobLimits>();
  /** Jobs that this process executes, and that callers neither see nor trigger. */
  readonly #internal = new Map<string, JobDefinition>();
  #webhooks: WebhookSubscriptions | undefined;

  /** Adds all jobs or none. @throws {ConflictError} if a name is registered with another definition. */
  add(definitions: readonly JobDefinition[]): void {
    const added = new Map<string, JobDefinition>();
    for (const job of definitions) {
      checkDefinition(job);
      const known = this.#jobs.get(job.name) ?? added.get(job.name);
      if (known && known !== job) {
        throw new ConflictError(`Another job is already registered as "${job.name}"`);
      }
      added.set(job.name, job);
    }
    for (const [name, job] of added) {
      this.#jobs.set(name, job);
      const terms = termsOf(job);
      if (terms.version !== 1 || terms.timeout !== undefined) this.#terms.set(name, terms);
      const limits = limitsOf(job);
      if (limits !== undefined) this.#limits.set(name, limits);
    }
  }

  /** Adds the job that delivers webhooks. Callers neither see nor trigger it. */
  addWebhooks(job: JobDefinition, webhooks: WebhookSubscriptions): void {
    this.#internal.set(job.name, job);
    this.#webhooks = webhooks;
  }

  /** Whether the end of a run may store a delivery, so that there is work for a claim. */
  isAnnounced({ jobName, pluginData }: Pick<ClaimedRun, 'jobName' | 'pluginData'>): boolean {
    if (this.#webhooks === undefined || jobName === WEBHOOK_JOB) return false;
    const isAsked = ({ jobs }: WebhookSubscription) => jobs === null || jobs.includes(jobName);
    return this.#webhooks.endpoints.some(isAsked) || pluginData?.includes(WEBHOOK_JOB) === true;
  }

  /** A job that this process executes. */
  get(name: string): JobDefinition | undefined {
    return this.#jobs.get(name) ?? this.#internal.get(name);
  }

  /**
   * The job that a caller names.
   *
   * @throws {UnknownJobError} that suggests the nearest registered name.
   * @throws {ValidationError} for something else than a name.
   */
  find(jobName: unknown): JobDefinition {
    if (typeof jobName !== 'string') {
      const message = `jobName must be the name of a job, not ${shownValue(jobName)}`;
      throw refusalOf([{ path: ['jobName'], message }]);
    }
    const job = this.#jobs.get(jobName);
    if (job !== undefined) return job;
    throw new UnknownJobError(shorten(jobName, MAX_TOLD_NAME), nearestName(jobName, this.#jobs.keys()));
  }

  /** The jobs whose definitions have a schedule. */
  scheduled(): JobDefinition[] {
    return [...this.#jobs.values()].filter(({ schedule }) => schedule !== undefined);
  }

  get isEmpty(): boolean {
    return this.#jobs.size === 0 && this.#internal.size === 0;
  }

  /** The jobs that callers know. */
  names(): string[] {
    return [...this.#jobs.keys()];
  }

  /** The jobs whose runs this process claims. */
  claimedNames(): string[] {
    return [...this.#jobs.keys(), ...this.#internal.keys()];
  }

  /** The terms of the jobs that have a version other than 1, or a timeout. */
  terms(): JobTerms[] {
    return [...this.#terms.values()];
  }

  /** The limits of the jobs that have some. */
  limits(): JobLimits[] {
    return [...this.#limits.values()];
  }

  /** The limits of a job. Undefined if it has none. */
  limitsOf(name: string): JobLimits | undefined {
    return this.#limits.get(name);
  }

  get hasLimits(): boolean {
    return this.#limits.size > 0;
  }
}
