import { jsonOperation } from '../operation.ts';
import { triggerEnvelope } from '../params.ts';
import { triggeredSchema } from '../schemas.ts';

export const trigger = jsonOperation({
  name: 'trigger',
  method: 'POST',
  path: '/trigger',
  summary: 'Trigger a job',
  effect: 'trigger',
  guard: { hook: 'onTrigger', requestOf: (request) => request },
  input: { from: 'body', schema: triggerEnvelope },
  output: triggeredSchema,
  refusals: ['NOT_FOUND'],
  async act(durably, request, allowRun) {
    const { runId, toRun, disposition } = await durably.triggerForId(request);
    if (disposition !== 'created') await allowRun?.(toRun(), 'trigger');
    return { runId };
  },
});
