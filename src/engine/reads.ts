import { NotFoundError } from '../core/errors.ts';
import { checkRunId, type RunFilter } from '../core/run.ts';
import type { LogQuery } from '../core/step.ts';
import type { Store } from '../core/store.ts';
import { parseRunFilter } from './job-handle.ts';
import { parseLogQuery } from './log-query.ts';

/** What callers may ask of runs. */
export function createReads(store: Store) {
  const mustExist = async (runId: string) => {
    if (!(await store.getRun(runId))) throw new NotFoundError('Run not found');
  };
  return {
    getRun: async (runId: string) => await store.getRun(checkRunId(runId)),
    getRuns: async (filter: RunFilter = {}) => await store.getRuns(parseRunFilter(filter)),
    async getSteps(runId: string) {
      const steps = await store.getSteps(checkRunId(runId));
      if (steps.length === 0) await mustExist(runId);
      return steps;
    },
    async getLogs(query: LogQuery) {
      const lines = await store.getLogs(parseLogQuery(query));
      if (lines.length === 0) await mustExist(query.runId);
      return lines;
    },
  };
}
