import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import * as z from 'zod';
import type { StepContext } from '../core/step.ts';
import { knownMembers } from '../core/validation/issues.ts';
import { defineJob } from '../engine/jobs/define-job.ts';
import { ImportSession, type Rejection, type RowRange } from './import-csv/session.ts';
import { staysInside } from './import-csv/source.ts';

/** A run logs this many rejected rows one by one, and counts the others. */
export const MAX_LOGGED_REJECTIONS = 100;

const inputSchema = knownMembers('member of the input', {
  file: z
    .string()
    .min(1)
    .max(1024)
    .refine(staysInside, { error: 'must be a path inside the data folder, relative to it' })
    .optional(),
  text: z.string().optional(),
  batchSize: z.int().min(1).max(5000).default(200),
  /** The pause between two batches, which limits the load on the target. */
  pauseMs: z.int().min(0).max(60_000).default(0),
}).refine(({ file, text }) => (file === undefined) !== (text === undefined), {
  error: 'give exactly one of `file` and `text`',
});

const outputSchema = z.object({
  /** The file's path, or `text` for inline text. */
  source: z.string(),
  sha256: z.string(),
  rows: z.int(),
  imported: z.int(),
  rejected: z.int(),
});

/**
 * Imports airports from CSV into the table `airports` of `<dataDir>/imports.db`, one step per batch. Invalid
 * rows are logged and left out.
 */
export function createImportCsv({ dataDir }: { dataDir: string }) {
  return defineJob({
    name: 'import-csv',
    input: inputSchema,
    output: outputSchema,
    run: async (step, { file, text, batchSize, pauseMs }) => {
      const databasePath = join(dataDir, 'imports.db');
      const onBusy = () => step.log.warn('the imports database is locked: trying again');
      const session = new ImportSession({ dataDir, databasePath, file, text, onBusy });
      try {
        const inspected = await step.run('inspect', () => session.inspect());
        const counts = await importBatches(step, session, { ...inspected, batchSize, pauseMs });
        return { source: file ?? 'text', sha256: inspected.sha256, rows: inspected.rows, ...counts };
      } finally {
        await session.close();
      }
    },
  });
}

interface Plan {
  readonly sha256: string;
  readonly rows: number;
  readonly batchSize: number;
  readonly pauseMs: number;
}

async function importBatches(step: StepContext, session: ImportSession, plan: Plan) {
  let imported = 0;
  let rejected = 0;
  for (const range of rangesOf(plan)) {
    const rejectedBefore = rejected;
    let replayed = true;
    const stored = await step.run(`rows ${range.first}-${range.last}`, async (signal) => {
      replayed = false;
      const batch = await session.importBatch(range, plan, signal);
      logRejections(step, batch.rejections, MAX_LOGGED_REJECTIONS - rejectedBefore);
      step.progress(range.last, plan.rows, `${range.last} of ${plan.rows} rows`);
      return { imported: batch.imported, rejected: batch.rejections.length };
    });
    imported += stored.imported;
    rejected += stored.rejected;
    const pauses = plan.pauseMs > 0 && !replayed && range.last < plan.rows;
    if (pauses) await setTimeout(plan.pauseMs, undefined, { signal: step.signal });
  }
  const unlogged = rejected - MAX_LOGGED_REJECTIONS;
  if (unlogged > 0) step.log.warn(`${unlogged} more rejected rows were not logged one by one`);
  step.log.info(`imported ${imported} of ${plan.rows} rows, rejected ${rejected}`);
  return { imported, rejected };
}

function* rangesOf({ rows, batchSize }: Plan): Generator<RowRange> {
  for (let first = 1; first <= rows; first += batchSize) {
    yield { first, last: Math.min(first + batchSize - 1, rows) };
  }
}

function logRejections(step: StepContext, rejections: readonly Rejection[], limit: number): void {
  for (const { line, reason } of rejections.slice(0, Math.max(0, limit))) {
    step.log.warn(`line ${line} rejected: ${reason}`, { line, reason });
  }
}
