import { defineJob } from 'durably';
import { z } from 'zod';

/** Counts the words of a text, a step for each line. */
export const countWords = defineJob({
  name: 'count-words',
  input: z.object({ text: z.string() }),
  output: z.object({ words: z.int() }),
  run: async (step, { text }) => {
    let words = 0;
    for (const [index, line] of text.split('\n').entries()) {
      words += await step.run(`line ${index + 1}`, () => line.split(/\s+/).filter(Boolean).length);
    }
    return { words };
  },
});
