import * as z from 'zod';
import { guardRun } from '../../guard.ts';
import { rescheduleEnvelope } from '../../inputs/envelopes.ts';
import { runIdParam } from '../../inputs/params.ts';
import { jsonOperation, queryAndBody } from '../../operation.ts';
import { successSchema } from '../../schemas.ts';

export const reschedule = jsonOperation({
  name: 'reschedule',
  method: 'POST',
  path: '/reschedule',
  summary: 'Give a run that has not started another time: later, sooner, or now',
  effect: 'write',
  guard: guardRun('reschedule'),
  input: queryAndBody(z.object({ runId: runIdParam }), rescheduleEnvelope),
  output: successSchema,
  refusals: ['NOT_FOUND', 'CONFLICT'],
  async act(durably, { runId, delay, runAt }) {
    await durably.reschedule(runId, { delay, runAt });
    return { success: true as const };
  },
});
