import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { sql } from 'kysely';
import { z } from 'zod';
import { defineJob } from '../../../src/engine/jobs/define-job.ts';

/** Waits for the given time, ms, and kills the process, whatever its main thread does at that moment. */
const KILLER = `
require('node:worker_threads').parentPort.on('message', (ms) => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  process.kill(process.pid, 'SIGKILL');
});`;

let killer: Worker | undefined;

/** It takes a while to start, so it is there before it is needed. */
function startKiller(): Worker {
  killer ??= new Worker(KILLER, { eval: true });
  killer.unref();
  return killer;
}

/** Writes a row in the transaction of each step, whose value is the step's result. Kills its process around some commits. */
export const book = defineJob({
  name: 'book',
  input: z.object({
    steps: z.int(),
    /** The probability that a step kills its process. */
    deadly: z.number(),
    /** The longest time from its row to the kill, ms. */
    withinMs: z.number(),
  }),
  run: async (step, { steps, deadly, withinMs }) => {
    const killing = startKiller();
    const values: unknown[] = [];
    for (let i = 0; i < steps; i++) {
      const name = `book ${i}`;
      values.push(
        await step.transaction(name, async (trx) => {
          await sql`create table if not exists chaos_books (run_id text, step text, value text)`.execute(trx);
          const value = `${step.runId} ${name} ${Math.random()}`;
          await sql`insert into chaos_books values (${step.runId}, ${name}, ${value})`.execute(trx);
          step.log.info('booked');
          if (Math.random() < deadly) killing.postMessage(Math.random() * withinMs);
          await pause(Math.random());
          return value;
        }),
      );
    }
    return values;
  },
});
