import * as z from 'zod';
import { guardRun } from '../guard.ts';
import { signalEnvelope } from '../inputs/envelopes.ts';
import { runIdParam } from '../inputs/params.ts';
import { jsonOperation, queryAndBody } from '../operation.ts';
import { signalledSchema } from '../schemas.ts';

export const signal = jsonOperation({
  name: 'signal',
  method: 'POST',
  path: '/signal',
  summary: 'Tell an active run something, for its `step.waitForSignal` to take',
  effect: 'write',
  guard: guardRun('signal'),
  input: queryAndBody(z.object({ runId: runIdParam }), signalEnvelope),
  output: signalledSchema,
  refusals: ['NOT_FOUND', 'CONFLICT'],
  async act(durably, { runId, name, payload, signalId }) {
    return await durably.signal(runId, name, payload, { signalId });
  },
});
