import { ConflictError, NotFoundError } from '../core/errors.ts';
import { checkDefinition, type JobDefinition } from './define-job.ts';

/** An error repeats so much of a name that somebody sent. */
const MAX_TOLD_NAME = 256;

export function jobNotFound(name: string): NotFoundError {
  const told = name.length > MAX_TOLD_NAME ? `${name.slice(0, MAX_TOLD_NAME).toWellFormed()}…` : name;
  return new NotFoundError(`Job not found: ${told}`);
}

/** The jobs that this process knows, by name. */
export class Registry {
  readonly #jobs = new Map<string, JobDefinition>();

  /** Adds all or none. @throws {ConflictError} for another definition under a registered name. */
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
    for (const [name, job] of added) this.#jobs.set(name, job);
  }

  get(name: string): JobDefinition | undefined {
    return this.#jobs.get(name);
  }

  get isEmpty(): boolean {
    return this.#jobs.size === 0;
  }

  names(): string[] {
    return [...this.#jobs.keys()];
  }
}
