import * as z from 'zod';
import { scheduleEnvelope, scheduleIdParam } from '../../inputs/schedule-params.ts';
import { jsonOperation, queryAndBody } from '../../operation.ts';
import { scheduleSchema } from '../../schemas.ts';

export const schedules = jsonOperation({
  name: 'schedules',
  method: 'GET',
  path: '/schedules',
  summary: 'List all schedules by id, each with its next five slots',
  effect: 'read',
  guard: { hook: 'onManage', targetOf: () => ({ operation: 'schedules' }) },
  input: { from: 'query', schema: z.object({}) },
  output: z.array(scheduleSchema),
  refusals: [],
  act: async (durably) => (await durably.getSchedules()).map(toAnswer),
});

export const schedule = jsonOperation({
  name: 'schedule',
  method: 'PUT',
  path: '/schedule',
  summary: 'Store a schedule, or change it. No slot that is over is made up for',
  effect: 'write',
  guard: {
    hook: 'onManage',
    targetOf: ({ id, ...rest }) => ({ operation: 'schedule', scheduleId: id, schedule: { id, ...rest } }),
  },
  input: queryAndBody(z.object({ id: scheduleIdParam }), scheduleEnvelope),
  output: scheduleSchema,
  refusals: ['NOT_FOUND', 'CONFLICT'],
  act: async (durably, request) => toAnswer(await durably.schedule(request)),
});

/** The schema's lists are not readonly. */
function toAnswer<T extends { readonly next: readonly string[] }>(stored: T) {
  return { ...stored, next: [...stored.next] };
}
