import type { DurablyClient } from './durably-client.ts';
import type { ClientJob } from './job-handle.ts';
import { dashed, type JobDefinitions } from './job-types.ts';

type Methods = Pick<DurablyClient, 'trigger' | 'triggerAndWait' | 'batchTrigger' | 'run' | 'getRuns'>;

/** The jobs by their keys. The client does not have the definitions, so a job is made when it is asked for. */
export function jobsOf<TJobs extends JobDefinitions>(
  methods: Methods,
  jobNames: Readonly<Record<string, string>>,
): DurablyClient<TJobs>['jobs'] {
  const made = new Map<string, ClientJob>();
  const jobs: object = new Proxy(Object.freeze({}), {
    get(_, key) {
      // A promise that resolves with the jobs asks for `then`.
      if (typeof key !== 'string' || key === 'then') return undefined;
      const job = made.get(key) ?? createJob(methods, jobNames[key] ?? dashed(key));
      made.set(key, job);
      return job;
    },
  });
  // The types are those that the caller names.
  return jobs as DurablyClient<TJobs>['jobs'];
}

function createJob(
  { trigger, triggerAndWait, batchTrigger, run, getRuns }: Methods,
  name: string,
): ClientJob {
  return {
    name,
    trigger: (input, options, call) => trigger(name, input, options, call),
    triggerAndWait: (input, options) => triggerAndWait(name, input, options),
    batchTrigger: (triggers, call) => {
      const requests = triggers.map(({ input, options }) => ({ ...options, jobName: name, input }));
      return batchTrigger(requests, call);
    },
    run,
    getRuns: (filter, call) => getRuns({ ...filter, jobName: name }, call),
  };
}
