import { setTimeout } from 'node:timers/promises';
import { defineJob } from 'durably';
import { z } from 'zod';

/** Makes a report in three steps. Each is slow here as a real query would be. */
export const report = defineJob({
  name: 'report',
  input: z.object({ year: z.int() }),
  output: z.object({ title: z.string(), total: z.number() }),
  run: async (step, { year }) => {
    const orders = await step.run('load orders', async (signal) => {
      await setTimeout(100, undefined, { signal });
      return [120, 80, 45];
    });
    step.progress(1, 2);
    const total = await step.run('add up', () => orders.reduce((sum, order) => sum + order, 0));
    step.progress(2, 2);
    return { title: `Report of ${year}`, total };
  },
});
