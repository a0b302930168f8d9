import * as z from 'zod';
import { guardSchedule } from '../guard.ts';
import { scheduleIdParam } from '../inputs/schedule-params.ts';
import { jsonOperation } from '../operation.ts';
import { firedSchema, successSchema } from '../schemas.ts';

const input = { from: 'query', schema: z.object({ id: scheduleIdParam }) } as const;

export const deleteSchedule = jsonOperation({
  name: 'deleteSchedule',
  method: 'DELETE',
  path: '/schedule',
  summary: 'Delete a schedule. Its runs stay',
  effect: 'write',
  guard: guardSchedule('delete-schedule'),
  input,
  output: successSchema,
  refusals: ['NOT_FOUND', 'CONFLICT'],
  async act(durably, { id }) {
    await durably.deleteSchedule(id);
    return { success: true as const };
  },
});

export const pauseSchedule = jsonOperation({
  name: 'pauseSchedule',
  method: 'POST',
  path: '/schedule/pause',
  summary: 'Fire no slot of a schedule from now on',
  effect: 'write',
  guard: guardSchedule('pause-schedule'),
  input,
  output: successSchema,
  refusals: ['NOT_FOUND'],
  async act(durably, { id }) {
    await durably.pauseSchedule(id);
    return { success: true as const };
  },
});

export const resumeSchedule = jsonOperation({
  name: 'resumeSchedule',
  method: 'POST',
  path: '/schedule/resume',
  summary: 'Go on with the next slot of a paused schedule. Those of the pause are not made up for',
  effect: 'write',
  guard: guardSchedule('resume-schedule'),
  input,
  output: successSchema,
  refusals: ['NOT_FOUND'],
  async act(durably, { id }) {
    await durably.resumeSchedule(id);
    return { success: true as const };
  },
});

export const fireSchedule = jsonOperation({
  name: 'fireSchedule',
  method: 'POST',
  path: '/schedule/fire',
  summary: 'Trigger a run of a schedule now, beside its slots',
  effect: 'trigger',
  guard: guardSchedule('fire-schedule'),
  input,
  output: firedSchema,
  refusals: ['NOT_FOUND'],
  async act(durably, { id }) {
    const run = await durably.fireSchedule(id);
    return { success: true as const, runId: run.id };
  },
});
