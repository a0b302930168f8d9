import { setTimeout } from 'node:timers/promises';

const ANSWERS: Readonly<Record<string, string>> = {
  plan: 'read, summarize',
  read: 'A durable job stores the result of each finished step.',
  summarize: 'After a crash, it continues at the first step without a result.',
};

/** Stands for a language model: streams its answer word by word. */
export async function* ask(task: string, { signal }: { signal: AbortSignal }): AsyncGenerator<string> {
  for (const word of (ANSWERS[task] ?? 'I do not know.').split(/(?<= )/)) {
    await setTimeout(20, undefined, { signal });
    yield word;
  }
}
