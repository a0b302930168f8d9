import { z } from 'zod';
import { defineJob } from '../../src/index.ts';

const approval = z.object({ ok: z.boolean() });

/** Jobs that wait: for a time, for a retry, for a signal, for another run. */
export const waitingJobs = {
  rest: defineJob({
    name: 'rest',
    input: z.object({}),
    run: async (step) => {
      await step.run('before', () => 1);
      await step.sleep('a week', '7d');
      return await step.run('after', () => 'rested');
    },
  }),
  flakyStep: defineJob({
    name: 'flaky-step',
    input: z.object({}),
    run: (step) =>
      step.run('try', { retries: { limit: 1, delay: '1h', jitter: false } }, (_signal, { attempt }) => {
        if (attempt === 1) throw new Error('no luck');
        return 'lucky';
      }),
  }),
  flakyJob: defineJob({
    name: 'flaky-job',
    input: z.object({}),
    retries: { limit: 1, delay: '1h', jitter: false },
    run: (step) => {
      if (step.attempt === 1) throw new Error('no luck');
      return 'lucky';
    },
  }),
  approve: defineJob({
    name: 'approve',
    input: z.object({ steps: z.int().default(0) }),
    run: async (step, { steps }) => {
      const answer = await step.waitForSignal('approval', { schema: approval });
      for (let i = 0; i < steps; i++) await step.run(`step ${i}`, () => i);
      return answer;
    },
  }),
  order: defineJob({
    name: 'order',
    input: z.object({}),
    run: async (step) => {
      try {
        return await step.invoke('ask', 'approve', {});
      } catch {
        return 'not approved';
      }
    },
  }),
};
