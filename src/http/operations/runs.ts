import { z } from 'zod';
import { listOf } from '../guard.ts';
import { JsonAnswer } from '../json-answer.ts';
import { jsonOperation } from '../operation.ts';
import {
  cursorParam,
  fieldsParam,
  jobNamesParam,
  labelsParam,
  limitParam,
  offsetParam,
  runSchema,
  statusesParam,
} from '../schemas.ts';

export const runs = jsonOperation({
  name: 'runs',
  method: 'GET',
  path: '/runs',
  summary: 'List runs, newest first',
  effect: 'read',
  guard: {
    hook: 'scopeRuns',
    narrowsBy: ['jobName', 'status', 'labels'],
    filterOf: ({ jobName, status, label, limit, offset }) => ({
      jobName,
      status,
      labels: label,
      limit,
      offset,
    }),
    narrow: (query, { jobName, status, labels, limit = query.limit, offset = query.offset }) => ({
      ...query,
      jobName: listOf(jobName),
      status: listOf(status),
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
