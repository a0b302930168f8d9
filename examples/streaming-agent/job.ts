import { defineJob, type StepContext } from 'durably';
import { z } from 'zod';
import { ask } from './model.ts';

/** An agent: it plans, works the plan off, and streams every word of the model while it does. */
export const agent = defineJob({
  name: 'agent',
  input: z.object({ question: z.string() }),
  output: z.object({ answer: z.string() }),
  run: async (step) => {
    const plan = await askInStep(step, 'plan');
    const tasks = plan.split(', ');
    const parts: string[] = [];
    for (const [done, task] of tasks.entries()) {
      step.progress(done, tasks.length, task);
      parts.push(await askInStep(step, task));
    }
    step.progress(tasks.length, tasks.length);
    return { answer: parts.join(' ') };
  },
});

/**
 * Asks the model in a step. Whoever follows the run hears each word as a log
 * line; the whole text is the step's result, so a finished question is never
 * paid for twice.
 */
async function askInStep(step: StepContext, task: string): Promise<string> {
  return await step.run(task, async (signal) => {
    let text = '';
    for await (const word of ask(task, { signal })) {
      step.log.info('token', { at: text.length, word });
      text += word;
    }
    return text;
  });
}
