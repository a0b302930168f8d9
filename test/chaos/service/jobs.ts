import { EventEmitter } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { errorMessage } from '../../../src/core/errors/error-text.ts';
import type { StepContext } from '../../../src/core/step.ts';
import { defineJob } from '../../../src/engine/jobs/define-job.ts';
import { book } from './book.ts';
import { flow } from './flow.ts';
import { LedgerPen } from './ledger-pen.ts';

/** Steps with effects. Each result is its effect's value, and the output contains all of them. */
const work = defineJob({
  name: 'work',
  input: z.object({
    steps: z.int().min(1),
    maxMs: z.number().default(0),
    /** The probability that a step fails. */
    failing: z.number().default(0),
    /** Runs two steps at a time. */
    parallel: z.boolean().default(false),
    logs: z.boolean().default(false),
    /** The run's concurrency key, written to the ledger. */
    key: z.string().optional(),
  }),
  run: async (step, { steps, maxMs, failing, parallel, logs, key }) => {
    const pen = new LedgerPen(step.runId, key);
    const doStep = async (name: string) => {
      return await step.run(name, async () => {
        await pause(Math.random() * maxMs);
        if (Math.random() < failing) throw new Error('this step is flaky');
        if (logs) step.log.info(`in ${name}`, { name });
        const value = pen.effect(name);
        // In this window an effect has happened, but its result is not stored yet.
        if (Math.random() < 0.5) await pause(Math.random() * maxMs);
        return value;
      });
    };
    const values: string[] = [];
    try {
      for (let i = 0; i < steps; i += parallel ? 2 : 1) {
        const names = parallel && i + 1 < steps ? [`step ${i}`, `step ${i + 1}`] : [`step ${i}`];
        values.push(...(await Promise.all(names.map(doStep))));
        if (logs) step.progress(values.length, steps);
      }
      return { values };
    } finally {
      pen.end();
    }
  },
});

/**
 * Waits in its second step until a file opens the gate for its process, then continues even if its signal is
 * aborted. The ledger records what it does then.
 */
const gate = defineJob({
  name: 'gate',
  input: z.object({ key: z.string().optional(), standMs: z.number().optional() }),
  run: async (step, { key, standMs }) => {
    const pen = new LedgerPen(step.runId, key);
    await step.run('first', () => pen.effect('first'));
    const value = await tell(pen, 'gate', () =>
      step.run('gate', async (signal) => {
        signal.addEventListener('abort', () => pen.mark('aborted', codeOf(signal.reason)));
        pen.mark('standing');
        if (standMs === undefined) await gateOpen();
        else await pause(standMs);
        step.log.info('through the gate', { pid: process.pid });
        pen.mark('through');
        return pen.effect('gate');
      }),
    );
    await tell(pen, 'last', () => step.run('last', () => pen.effect('last')));
    pen.end();
    return { value, pid: process.pid };
  },
});

/** Continues when a step is refused, as a job that catches every error would. The ledger records the reason. */
async function tell(pen: LedgerPen, name: string, run: () => Promise<string>): Promise<string> {
  try {
    return await run();
  } catch (error) {
    pen.mark(`${name} refused`, codeOf(error));
    return 'refused';
  }
}

async function gateOpen(): Promise<void> {
  const file = `${process.env.CHAOS_GATES}/${process.pid}`;
  while (!existsSync(file)) await pause(5);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : errorMessage(error);
}

/** Kills its process each time. */
const poison = defineJob({
  name: 'poison',
  input: z.object({ afterMs: z.number().default(0) }),
  run: async (step, { afterMs }) => {
    await step.run('die', async () => {
      if (afterMs > 0) await pause(afterMs);
      process.kill(process.pid, 'SIGKILL');
      // The signal arrives in a moment. The job must do nothing more until then.
      for (;;) Math.random();
    });
  },
});

/** Leaves rejecting promises behind that nobody awaits. */
const careless = defineJob({
  name: 'careless',
  input: z.unknown(),
  run: async (step) => {
    void Promise.reject(new Error('nobody waits for this'));
    void step.run('left alone', () => Promise.reject(new Error('nor for this')));
    await step.run('step', async () => {
      void pause(1).then(() => Promise.reject(new Error('nor for this, which comes late')));
      await pause(20);
    });
    return { done: true };
  },
});

/** Throws in callbacks outside of every promise and `try`, then waits to be cancelled. */
const reckless = defineJob({
  name: 'reckless',
  input: z.unknown(),
  run: async (step) => {
    setTimeout(thrower('in a timer'), 1);
    setImmediate(thrower('in an immediate'));
    await step.run('step', async (signal) => {
      setTimeout(() => new EventEmitter().emit('error', new Error('thrown by an emitter')), 1);
      signal.addEventListener('abort', thrower('by a listener'));
      AbortSignal.any([signal]).addEventListener('abort', thrower('by a derived listener'));
      await pause(60_000, undefined, { signal });
    });
  },
});

/** Ends at once and leaves callbacks behind that throw when no job's code is running. */
const leaver = defineJob({
  name: 'leaver',
  input: z.object({}),
  run: async () => {
    setTimeout(thrower('after its end'), 200);
  },
});

function thrower(where: string): () => never {
  return () => {
    throw new Error(`thrown ${where}`);
  };
}

/** Writes many log lines, which makes a stream of events of a known size. */
const chatter = defineJob({
  name: 'chatter',
  input: z.object({ lines: z.int(), bytes: z.int() }),
  run: async (step, { lines, bytes }) => {
    const data = 'x'.repeat(bytes);
    for (let line = 0; line < lines; line++) {
      step.log.info(`line ${line}`, data);
      if (line % 100 === 99) await step.run(`after ${line}`, () => undefined);
    }
  },
});

/** Stores large results and log lines, and keeps none of them in memory. */
const large = defineJob({
  name: 'large',
  input: z.object({ results: z.int(), bytes: z.int(), failsFirst: z.boolean().default(false) }),
  run: async (step, { results, bytes, failsFirst }) => {
    let sum = 0;
    for (let i = 0; i < results; i++) {
      const result = await step.run(`result ${i}`, () => {
        step.log.info(`line ${i}`, 'l'.repeat(bytes));
        return 'r'.repeat(bytes);
      });
      sum += result.length;
    }
    if (failsFirst && step.attempt === 1) throw new Error('once');
    return { sum };
  },
});

/** Writes this many log lines of this size without a pause. */
const noisy = defineJob({
  name: 'noisy',
  input: z.object({ lines: z.int(), bytes: z.int() }),
  run: (step, { lines, bytes }) => {
    const data = 'l'.repeat(bytes);
    for (let i = 0; i < lines; i++) step.log.info(`line ${i}`, data);
    return lines;
  },
});

/** Repeats a text in a list. The list takes little memory until it is written as JSON. */
const repeated = defineJob({
  name: 'repeated',
  input: z.object({ text: z.string(), chars: z.int(), times: z.int() }),
  run: async (step, { text, chars, times }) => {
    const list = Array(times).fill(text.repeat(chars));
    step.log.info('list', list);
    await step.run('list', () => list);
  },
});

/** Returns its input as a step's result, a log line and its output. */
const echo = defineJob({
  name: 'echo "quoted"\n👋 \'job\'',
  input: z.object({ value: z.unknown(), name: z.string(), fails: z.boolean().default(false) }),
  run: async (step: StepContext, { value, name, fails }) => {
    const result = await step.run(name, () => {
      step.log.warn(name, value);
      return value;
    });
    if (fails) throw new Error(name);
    return result;
  },
});

/** Replaces the shipped jobs in the service under test. */
export function createJobs() {
  return {
    work,
    gate,
    poison,
    careless,
    reckless,
    leaver,
    chatter,
    large,
    noisy,
    repeated,
    echo,
    flow,
    book,
  };
}
