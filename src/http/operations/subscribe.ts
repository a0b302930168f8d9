import * as z from 'zod';
import { NotFoundError } from '../../core/errors/errors.ts';
import { guardRun } from '../guard.ts';
import { lastEventIdParam, runIdParam } from '../inputs/params.ts';
import { eventsOperation } from '../operation.ts';
import { runEventSchema } from '../schemas.ts';

export const subscribe = eventsOperation({
  name: 'subscribe',
  method: 'GET',
  path: '/subscribe',
  summary: "Stream a run's events, from the first one until the run ends",
  effect: 'read',
  guard: guardRun('subscribe'),
  input: { from: 'query', schema: z.object({ runId: runIdParam, lastEventId: lastEventIdParam }) },
  output: runEventSchema,
  refusals: ['NOT_FOUND'],
  async act(durably, { runId, lastEventId }) {
    const feed = await durably.openRunFeed(runId, { after: lastEventId });
    if (feed.kind === 'not-found') throw new NotFoundError('Run not found');
    return feed;
  },
});
