import { triggerEnvelope } from '../inputs/envelopes.ts';
import { jsonOperation } from '../operation.ts';
import { triggeredSchema } from '../schemas.ts';

export const trigger = jsonOperation({
  name: 'trigger',
  method: 'POST',
  path: '/trigger',
  summary: 'Trigger a job',
  effect: 'trigger',
  guard: {
    hook: 'onTrigger',
    requestsOf: (request) => [request],
    withKeyScope: (request, keyScope) => ({ ...request, keyScope }),
  },
  input: { from: 'body', schema: triggerEnvelope },
  output: triggeredSchema,
  refusals: ['NOT_FOUND', 'IDEMPOTENCY_KEY_REUSED'],
  takesIdempotencyKey: true,
  async act(durably, request, allowRun) {
    const { runId, toRun, disposition } = await durably.triggerForId(request);
    if (disposition !== 'created') await allowRun?.(toRun(), 'trigger');
    return { runId, disposition };
  },
});
