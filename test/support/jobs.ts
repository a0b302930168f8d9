import { z } from 'zod';
import { defineJob, type StepContext } from '../../src/index.ts';

/** A job with any input whose body the test gives. */
export function job<T>(name: string, run: (step: StepContext, payload: unknown) => T | Promise<T>) {
  return defineJob({ name, input: z.unknown(), run });
}

/** A job that returns its input. */
export const echo = defineJob({
  name: 'echo',
  input: z.unknown(),
  run: (_step, payload) => payload,
});
