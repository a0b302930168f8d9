import { jsonOperation } from '../operation.ts';
import { triggerEnvelope, triggeredSchema } from '../schemas.ts';

export const trigger = jsonOperation({
  name: 'trigger',
  method: 'POST',
  path: '/trigger',
  summary: 'Trigger a job',
  access: 'trigger',
  guard: { hook: 'onTrigger', requestOf: (request) => request },
  input: { from: 'body', schema: triggerEnvelope },
  output: triggeredSchema,
  refusals: ['NOT_FOUND', 'BODY_TOO_LARGE'],
  async act(durably, request) {
    const run = await durably.trigger(request);
    return { runId: run.id };
  },
});
