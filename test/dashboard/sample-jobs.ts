import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { defineJob } from '../../src/index.ts';

/** Jobs that show what the dashboard has to show. `pauseMs` lets one look while they run. */
const importOrders = defineJob({
  name: 'import-orders',
  input: z.object({
    file: z.string().min(1).describe('Below the data folder'),
    batches: z.int().min(1).max(5000).default(3),
    pauseMs: z.int().min(0).default(0).describe('How long a batch takes'),
    mode: z.enum(['append', 'replace']).default('append'),
    notify: z.array(z.string()).optional(),
    isDryRun: z.boolean().default(false),
    address: z.object({ city: z.string(), zip: z.string().regex(/^\d{5}$/) }).optional(),
  }),
  output: z.object({ imported: z.number() }),
  run: async (step, { file, batches, pauseMs }) => {
    await step.run('inspect', async () => {
      await pause(pauseMs / 2);
      return { file, rows: batches * 1000, columns: ['id', 'customer', 'total'] };
    });
    let imported = 0;
    for (let i = 1; i <= batches; i++) {
      const result = await step.run(`batch ${i}`, async () => {
        await pause(pauseMs);
        return { imported: 1000, rejected: i % 2 };
      });
      imported += result.imported;
      step.progress(i, batches, `${i} of ${batches} batches`);
      step.log[i % 2 === 1 ? 'warn' : 'info'](`batch ${i}: ${result.rejected} rows were rejected`, result);
    }
    return { imported };
  },
});

const charge = defineJob({
  name: 'charge-card',
  input: z.object({ order: z.string(), cents: z.int().positive() }),
  retries: { limit: 1, delay: '2s' },
  run: async (step, { order }) => {
    if (order === 'endless') throw new Error('The bank did not answer. '.repeat(80));
    await step.run('reserve', () => ({ reservation: `r-${order}` }));
    await step.run('charge', { retries: { limit: 2, delay: 20, jitter: false } }, (_signal, { attempt }) => {
      const cause = new Error('connect ECONNREFUSED 10.0.0.7:443');
      if (order === 'bad' || attempt === 1)
        throw new Error(`The bank did not answer (try ${attempt})`, { cause });
      return { receipt: `${order}-${attempt}` };
    });
  },
});

const approval = defineJob({
  name: 'approval',
  input: z.object({ document: z.string(), approver: z.string().optional() }),
  run: async (step, { document }) => {
    await step.run('prepare', () => ({ document, pages: 12 }));
    const answer = await step.waitForSignal('approved', { timeout: '7d' });
    return { document, answer };
  },
});

const report = defineJob({
  name: 'monthly-report',
  input: z.object({ month: z.string().regex(/^\d{4}-\d{2}$/), pauseMs: z.int().min(0).default(0) }),
  schedule: { cron: '0 6 1 * *', timezone: 'Europe/Berlin', input: { month: '2026-11' } },
  run: async (step, { month, pauseMs }) => {
    const retries = { limit: 1, delay: pauseMs, jitter: false };
    const parts = ['sales', 'returns', 'stock'].map((name, i) =>
      step.run(`load ${name}`, { retries }, async (_signal, { attempt }) => {
        await pause(pauseMs * (i + 1));
        if (pauseMs > 0 && name === 'returns' && attempt === 1) throw new Error('503 Service Unavailable');
        return { name, rows: 100 * (i + 1) };
      }),
    );
    await Promise.all(parts);
    await step.sleep('let the books close', '1s');
    const { imported } = await step.invoke('import the rest', importOrders, {
      file: `${month}.csv`,
      batches: 2,
      pauseMs,
    });
    step.emit('ready', { month });
    return { month, imported };
  },
});

/** Starts a run for each document, and waits for all of them. */
const askAround = defineJob({
  name: 'ask-around',
  input: z.object({ documents: z.array(z.string()), until: z.iso.date().nullish() }),
  run: async (step, { documents }) =>
    await Promise.all(
      documents.map((document) => step.invoke(`ask about ${document}`, approval, { document })),
    ),
});

/** Many steps and log lines. */
const large = defineJob({
  name: 'large',
  input: z.object({
    steps: z.int().default(100),
    lines: z.int().default(0),
    outputBytes: z.int().default(0),
  }),
  run: async (step, { steps, lines, outputBytes }) => {
    for (let i = 0; i < steps; i++) {
      await step.run(`part ${i}`, () => ({ i }));
      for (let line = 0; line < lines / steps; line++) step.log.info(`part ${i}, line ${line}`);
    }
    return Array.from({ length: outputBytes / 100 }, (_, i) => ({ i, text: 'x'.repeat(80) }));
  },
});

/** Texts that would do something if they were taken for markup. */
export const HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>"\'&amp;\u202e';

const hostile = defineJob({
  name: 'hostile <b>job</b>',
  input: z.object({ [HOSTILE]: z.string().optional() }),
  run: async (step) => {
    await step.run(HOSTILE, () => ({ [HOSTILE]: HOSTILE }));
    step.log.error(HOSTILE, { [HOSTILE]: HOSTILE });
    step.emit(HOSTILE, HOSTILE);
    step.progress(1, 2, HOSTILE);
    throw new Error(HOSTILE, { cause: new Error(HOSTILE) });
  },
});

export const sampleJobs = { importOrders, charge, approval, askAround, report, large, hostile };
