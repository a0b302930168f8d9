import { z } from 'zod';
import { listOf } from '../guard.ts';
import { eventsOperation } from '../operation.ts';
import { jobNamesParam, lastEventIdParam, listedEventSchema } from '../schemas.ts';

export const runsSubscribe = eventsOperation({
  name: 'runsSubscribe',
  method: 'GET',
  path: '/runs/subscribe',
  summary: 'Stream the run and step events of all runs, from now on',
  access: 'read',
  guard: {
    hook: 'scopeRunsSubscribe',
    narrowsBy: ['jobName'],
    filterOf: ({ jobName }) => ({ jobName }),
    narrow: (query, { jobName }) => ({ ...query, jobName: listOf(jobName) }),
  },
  input: { from: 'query', schema: z.object({ jobName: jobNamesParam, lastEventId: lastEventIdParam }) },
  output: listedEventSchema,
  refusals: [],
  async act(durably, { jobName, lastEventId }) {
    const feed = await durably.openRunListFeed({ after: lastEventId, jobNames: jobName });
    const open = { kind: 'open', cursor: feed.cursor } as const;
    return lastEventId === undefined ? { ...open, head: feed.after } : open;
  },
});
