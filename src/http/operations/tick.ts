import * as z from 'zod';
import { tickTimeoutParam } from '../inputs/params.ts';
import { jsonOperation } from '../operation.ts';
import { tickedSchema } from '../schemas.ts';

export const tick = jsonOperation({
  name: 'tick',
  method: 'POST',
  path: '/tick',
  summary:
    'Work the queue until it is idle or the time is up. For platforms where only an HTTP cron can wake the worker',
  effect: 'work',
  guard: { hook: 'authenticate' },
  input: { from: 'query', schema: z.object({ timeoutMs: tickTimeoutParam }) },
  output: tickedSchema,
  refusals: [],
  async act(durably, { timeoutMs }) {
    return { processed: await durably.processUntilIdle({ timeoutMs }) };
  },
});
