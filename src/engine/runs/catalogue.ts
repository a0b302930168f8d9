import { ValidationError } from '../../core/errors/errors.ts';
import { shorten } from '../../core/validation/known-names.ts';
import { refuseMember } from '../../core/validation/refusal.ts';
import { shownValue } from '../../core/validation/shown-value.ts';
import type { JobDefinition } from '../jobs/define-job.ts';
import { createJobHandle, type JobHandle } from './job-handle.ts';
import type { RunsDeps } from './runs-deps.ts';

// biome-ignore lint/suspicious/noExplicitAny: any job, whatever its types: `unknown` would refuse handles that take a certain input.
export type AnyJobs = Record<string, JobDefinition<string, any, any, any>>;

/** The handle of a job definition. */
export type HandleOf<J> =
  J extends JobDefinition<infer N, infer I, infer P, infer O> ? JobHandle<N, I, P, O> : never;

export type HandlesOf<TJobs extends AnyJobs> = { readonly [K in keyof TJobs]: HandleOf<TJobs[K]> };

/** Handles of whatever was registered, loosely typed. */
// biome-ignore lint/suspicious/noExplicitAny: what was registered is not known to the type.
export type OpenHandles = Record<string, JobHandle<string, any, any, any>>;

/** @throws {ValidationError} that names what is no job. */
function checkJobs(definitions: unknown): asserts definitions is object {
  if (typeof definitions !== 'object' || definitions === null || Array.isArray(definitions)) {
    const shown = Array.isArray(definitions) ? 'a list' : shownValue(definitions);
    throw new ValidationError(`register must be given an object of job definitions, not ${shown}`);
  }
  for (const [key, job] of Object.entries(definitions)) {
    if (typeof job === 'object' && job !== null) continue;
    throw refuseMember(shorten(key), `must be a job definition, not ${shownValue(job)}`);
  }
}

/** Registers jobs and keeps their handles. */
export function createCatalogue(deps: RunsDeps) {
  const handles = new Map<string, JobHandle>();
  const jobs: OpenHandles = {};
  return {
    jobs,
    register<TJobs extends AnyJobs>(definitions: TJobs): HandlesOf<TJobs> {
      checkJobs(definitions);
      deps.registry.add(Object.values(definitions));
      const added = Object.entries(definitions).map(([key, job]) => {
        const handle = handles.get(job.name) ?? createJobHandle(job, deps);
        handles.set(job.name, handle);
        return [key, handle] as const;
      });
      Object.assign(jobs, Object.fromEntries(added));
      deps.worker.schedules.noteJobs();
      deps.worker.wake();
      return Object.fromEntries(added) as HandlesOf<TJobs>;
    },
    getJob: (name: string) => handles.get(name),
  };
}
