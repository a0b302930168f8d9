import * as z from 'zod';
import { listOf } from '../guard.ts';
import { jobNamesParam, labelsParam, lastEventIdParam } from '../inputs/params.ts';
import { eventsOperation } from '../operation.ts';
import { listedEventSchema } from '../schemas.ts';

export const runsSubscribe = eventsOperation({
  name: 'runsSubscribe',
  method: 'GET',
  path: '/runs/subscribe',
  summary: 'Stream the run and step events of all runs, starting now',
  effect: 'read',
  guard: {
    hook: 'scopeRunsSubscribe',
    narrowsBy: ['jobName', 'labels'],
    filterOf: ({ jobName, label }) => ({ jobName, labels: label }),
    narrow: (query, { jobName, labels }) => ({ ...query, jobName: listOf(jobName), label: labels }),
  },
  input: {
    from: 'query',
    schema: z.object({ jobName: jobNamesParam, label: labelsParam, lastEventId: lastEventIdParam }),
  },
  output: listedEventSchema,
  refusals: [],
  async act(durably, { jobName, label, lastEventId }) {
    const feed = await durably.openRunListFeed({ after: lastEventId, jobNames: jobName, labels: label });
    const open = { kind: 'open', cursor: feed.cursor } as const;
    return lastEventId === undefined ? { ...open, head: feed.after } : open;
  },
});
