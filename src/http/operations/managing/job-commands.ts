import * as z from 'zod';
import { guardManage } from '../../guard.ts';
import { jobNameParam } from '../../inputs/params.ts';
import { jsonOperation } from '../../operation.ts';
import { successSchema } from '../../schemas.ts';

export const pause = jsonOperation({
  name: 'pause',
  method: 'POST',
  path: '/pause',
  summary: 'Stop claiming runs of a job, in every process. Running ones go on, and triggers are accepted',
  effect: 'write',
  guard: guardManage('pause'),
  input: { from: 'query', schema: z.object({ jobName: jobNameParam }) },
  output: successSchema,
  refusals: ['NOT_FOUND'],
  async act(durably, { jobName }) {
    await durably.pauseJob(jobName);
    return { success: true as const };
  },
});

export const resume = jsonOperation({
  name: 'resume',
  method: 'POST',
  path: '/resume',
  summary: 'Claim runs of a paused job again',
  effect: 'write',
  guard: guardManage('resume'),
  input: { from: 'query', schema: z.object({ jobName: jobNameParam }) },
  output: successSchema,
  refusals: ['NOT_FOUND'],
  async act(durably, { jobName }) {
    await durably.resumeJob(jobName);
    return { success: true as const };
  },
});
