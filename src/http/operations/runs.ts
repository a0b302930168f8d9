import * as z from 'zod';
import { listOf, RUN_FILTERS } from '../guard.ts';
import {
  cursorParam,
  fieldsParam,
  jobNamesParam,
  labelsParam,
  limitParam,
  offsetParam,
  parentRunIdParam,
  statusesParam,
} from '../inputs/params.ts';
import { createdAfterParam, createdBeforeParam, searchParam, timeTextOf } from '../inputs/run-filter.ts';
import { scheduleIdFilterParam } from '../inputs/schedule-params.ts';
import { JsonAnswer } from '../json-answer.ts';
import { jsonOperation } from '../operation.ts';
import { runSchema } from '../schemas.ts';

export const runs = jsonOperation({
  name: 'runs',
  method: 'GET',
  path: '/runs',
  summary: 'List runs, newest first',
  effect: 'read',
  guard: {
    hook: 'scopeRuns',
    narrowsBy: RUN_FILTERS,
    filterOf: ({ label, cursor, fields, ...filter }) => ({ ...filter, labels: label }),
    narrow: (query, { jobName, status, labels, limit = query.limit, offset = query.offset, ...others }) => ({
      ...query,
      jobName: listOf(jobName),
      status: listOf(status),
      parentRunId: others.parentRunId,
      scheduleId: others.scheduleId,
      createdAfter: timeTextOf(others.createdAfter),
      createdBefore: timeTextOf(others.createdBefore),
      q: others.q,
      label: labels,
      limit,
      offset,
    }),
  },
  input: {
    from: 'query',
    schema: z.object({
      jobName: jobNamesParam,
      status: statusesParam,
      parentRunId: parentRunIdParam,
      createdAfter: createdAfterParam,
      createdBefore: createdBeforeParam,
      q: searchParam,
      scheduleId: scheduleIdFilterParam,
      label: labelsParam,
      limit: limitParam,
      offset: offsetParam,
      cursor: cursorParam,
      fields: fieldsParam,
    }),
  },
  output: z
    .array(runSchema)
    .meta({ description: 'Runs, with all of their fields or only the requested ones' }),
  refusals: [],
  async act(durably, { label, ...filter }) {
    // A query can't contain an empty list, so this one comes from a scope that matches nothing. The answer is
    // known without a query.
    if (filter.jobName?.length === 0 || filter.status?.length === 0) return [];
    const { pieces, nextCursor } = await durably.asJson.runs({ ...filter, labels: label });
    return new JsonAnswer(pieces, { nextCursor });
  },
});
