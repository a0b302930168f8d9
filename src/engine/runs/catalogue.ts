import type { Submitted, TriggerRequest } from '../../core/durably.ts';
import { parseRun, type Run } from '../../core/run.ts';
import type { JobDefinition } from '../jobs/define-job.ts';
import type { Registry } from '../jobs/registry.ts';
import type { Worker } from '../worker/worker.ts';
import { createJobHandle, enqueueOne, type HandleDeps, type JobHandle } from './job-handle.ts';
import { newRun } from './new-run.ts';

// biome-ignore lint/suspicious/noExplicitAny: any job, whatever its types: `unknown` would refuse handles that take a certain input.
export type AnyJobs = Record<string, JobDefinition<string, any, any, any>>;

/** The handle of a job definition. */
export type HandleOf<J> =
  J extends JobDefinition<infer N, infer I, infer P, infer O> ? JobHandle<N, I, P, O> : never;

export type HandlesOf<TJobs extends AnyJobs> = { readonly [K in keyof TJobs]: HandleOf<TJobs[K]> };

/** Handles of whatever was registered, loosely typed. */
// biome-ignore lint/suspicious/noExplicitAny: what was registered is not known to the type.
export type OpenHandles = Record<string, JobHandle<string, any, any, any>>;

/** Registration, and triggering by name. */
export function createCatalogue(registry: Registry, deps: HandleDeps, worker: Worker) {
  const handles = new Map<string, JobHandle>();
  const jobs: OpenHandles = {};
  const register = <TJobs extends AnyJobs>(definitions: TJobs): HandlesOf<TJobs> => {
    registry.add(Object.values(definitions));
    const added = Object.entries(definitions).map(([key, job]) => {
      const handle = handles.get(job.name) ?? createJobHandle(job, deps);
      handles.set(job.name, handle);
      return [key, handle] as const;
    });
    Object.assign(jobs, Object.fromEntries(added));
    worker.wake();
    return Object.fromEntries(added) as HandlesOf<TJobs>;
  };
  const submit = async ({ jobName, input, ...options }: TriggerRequest): Promise<Submitted> => {
    const job = registry.get(jobName);
    if (!job) throw registry.notFound(jobName);
    const fresh = await newRun(job, { input, options }, deps.maxInputBytes);
    const { run, created } = await enqueueOne(fresh, deps);
    return {
      runId: run.id,
      toRun: () => parseRun(run),
      disposition: created ? 'created' : 'idempotent',
    };
  };
  return {
    jobs,
    register,
    getJob: (name: string) => handles.get(name),
    trigger: async (request: TriggerRequest): Promise<Run> => (await submit(request)).toRun(),
    submit,
  };
}
