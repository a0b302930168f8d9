import { z } from 'zod';
import { defineJob, type StepContext } from '../../src/index.ts';

/** A job that takes any input and does what the test says. */
export function job<T>(name: string, run: (step: StepContext, payload: unknown) => T | Promise<T>) {
  return defineJob({ name, input: z.unknown(), run });
}

/** A job that answers its input. */
export const echo = defineJob({
  name: 'echo',
  input: z.unknown(),
  run: (_step, payload) => payload,
});
