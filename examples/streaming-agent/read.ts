/** npx tsx read.ts "a question": asks the agent, and prints each word when it comes. */
import { EventSource } from 'eventsource';
import { z } from 'zod';

const eventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('step:start'), stepName: z.string() }),
  z.object({ type: z.literal('log:write'), data: z.object({ at: z.int(), word: z.string() }) }),
  z.object({ type: z.literal('run:complete'), output: z.object({ answer: z.string() }) }),
  z.object({ type: z.enum(['run:fail', 'run:cancel']) }),
]);

const api = `${process.env.URL ?? 'http://localhost:3000'}/api/durably`;
const [question = 'What is a durable job?'] = process.argv.slice(2);

const response = await fetch(`${api}/trigger`, {
  method: 'POST',
  body: JSON.stringify({ jobName: 'agent', input: { question } }),
});
if (!response.ok) throw new Error(await response.text());
const { runId } = z.object({ runId: z.string() }).parse(await response.json());

// An EventSource reconnects by itself, and goes on after the last event that it saw.
const source = new EventSource(`${api}/subscribe?runId=${runId}`);
source.onmessage = ({ data }) => {
  const { success, data: event } = eventSchema.safeParse(JSON.parse(data));
  if (!success) return;
  if (event.type === 'log:write') return void process.stdout.write(event.data.word);
  // A step that was interrupted starts again: a page would clear that step's text here.
  if (event.type === 'step:start') return void process.stdout.write(`\n${event.stepName}: `);
  source.close();
  process.stdout.write(event.type === 'run:complete' ? `\n\n${event.output.answer}\n` : `\n${event.type}\n`);
};
