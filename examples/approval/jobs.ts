import { defineJob } from 'durably';
import { z } from 'zod';
import type { Ledger } from './ledger.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** What the approver answers: the payload of the signal `answer`. */
const answerSchema = z.object({ approved: z.boolean(), by: z.string().min(1) });

/** Stands for a mail to the approver. */
type Mail = (text: string) => void;

/** The job that books an approved expense, and the job that asks for the approval. */
export function createJobs({ ledger, mail }: { ledger: Ledger; mail: Mail }) {
  const bookExpense = defineJob({
    name: 'book-expense',
    input: z.object({
      expenseId: z.string(),
      employee: z.string(),
      amount: z.number(),
      approvedBy: z.string(),
    }),
    run: async (step, entry) => {
      await step.run('book', { retries: 5 }, () => ledger.book(entry));
    },
  });

  const expense = defineJob({
    name: 'expense',
    input: z.object({
      employee: z.string().min(1),
      amount: z.number().positive(),
      purpose: z.string(),
      remindAfterMs: z.int().default(2 * DAY_MS),
      giveUpAfterMs: z.int().default(5 * DAY_MS),
    }),
    output: z.object({ outcome: z.string(), by: z.string().nullable() }),
    run: async (step, { employee, amount, purpose, remindAfterMs, giveUpAfterMs }) => {
      const question = `may ${employee} spend ${amount} on ${purpose}? Answer to ${step.runId}`;
      await step.run('ask', () => mail(question));
      // Nothing of the run stays in memory while it waits. Any process on the database goes on with it.
      let answer = await step.waitForSignal('answer', { schema: answerSchema, timeout: remindAfterMs });
      if (answer === undefined) {
        await step.run('remind', () => mail(`a reminder: ${question}`));
        // Another step, because its time begins now. It waits for the same signal.
        answer = await step.waitForSignal('answer to the reminder', {
          signal: 'answer',
          schema: answerSchema,
          timeout: giveUpAfterMs,
        });
      }
      if (answer === undefined) return { outcome: 'not answered', by: null };
      const { approved, by } = answer;
      if (!approved) return { outcome: 'refused', by };
      await step.invoke('book', bookExpense, { expenseId: step.runId, employee, amount, approvedBy: by });
      return { outcome: 'booked', by };
    },
  });

  return { expense, bookExpense };
}
