import { listOf, RUN_FILTERS, type ScopeGuard } from '../guard.ts';

/**
 * Lets `scopeRuns` narrow what is told of jobs as a whole. If it narrows by anything but `jobName`, the caller may see only some
 * of a job's runs.
 *
 * @param forSome what such a caller gets. It may refuse by throwing.
 */
export function scopeJobs<TInput extends { readonly jobName?: string[] | undefined }>(
  forSome: (input: TInput) => TInput,
): ScopeGuard<TInput> {
  return {
    hook: 'scopeRuns',
    narrowsBy: RUN_FILTERS,
    filterOf: ({ jobName }) => ({ jobName }),
    narrow: (input, { jobName, limit, offset, ...others }) => {
      const narrowed = { ...input, jobName: listOf(jobName) };
      return Object.values(others).some((member) => member !== undefined) ? forSome(narrowed) : narrowed;
    },
  };
}
