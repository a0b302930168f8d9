import { z } from 'zod';
import { defineJob } from '../../src/engine/jobs/define-job.ts';

/** The jobs of the HTTP suite. `wait` ends when `atGate` does. */
export function createSuiteJobs(atGate: () => Promise<unknown>) {
  return {
    greet: defineJob({
      name: 'greet',
      input: z.object({ name: z.string().min(1), loud: z.boolean().default(false) }),
      output: z.object({ text: z.string() }),
      run: async (step, { name }) => {
        step.progress(1, 2, 'composing');
        const text = await step.run('compose', () => {
          step.log.info('composing', { name });
          return `Hello ${name}`;
        });
        step.log.warn('done');
        return { text };
      },
    }),
    wait: defineJob({
      name: 'wait',
      input: z.object({}),
      run: async (step) => {
        await step.run('before', () => 1);
        await step.run('gate', () => atGate());
      },
    }),
    ask: defineJob({
      name: 'ask',
      input: z.object({ name: z.string() }),
      run: (step, { name }) => step.waitForSignal(name),
    }),
    fail: defineJob({
      name: 'fail',
      input: z.object({}),
      run: async (step) => {
        await step.run('try', () => {
          throw new Error('no luck');
        });
      },
    }),
    lie: defineJob({
      name: 'lie',
      input: z.object({}),
      output: z.object({ n: z.number() }),
      run: async () => ({ n: Number.NaN }),
    }),
    circle: defineJob({
      name: 'circle',
      input: z.object({}),
      run: async (step) => {
        await step.run('bigint', () => ({ n: 1n }));
      },
    }),
  };
}
