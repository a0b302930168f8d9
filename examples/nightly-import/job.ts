import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { parse } from 'csv-parse/sync';
import { defineJob } from 'durably';
import { z } from 'zod';
import type { Products } from './products.ts';

const rowSchema = z.object({ sku: z.string().min(1), name: z.string(), cents: z.coerce.number().int() });

/** Imports a price list into the table of products, one step for each batch of rows. */
export function createNightlyImport({ products }: { products: Products }) {
  return defineJob({
    name: 'nightly-import',
    input: z.object({
      file: z.string(),
      batchSize: z.int().min(1).default(50),
      /** Between two batches, to be gentle on the target. */
      pauseMs: z.int().min(0).default(0),
    }),
    output: z.object({ rows: z.int() }),
    run: async (step, { file, batchSize, pauseMs }) => {
      // Code outside of a step runs again in each attempt. Reading the file changes nothing.
      const rows = z.array(rowSchema).parse(parse(await readFile(file), { columns: true }));
      for (let first = 0; first < rows.length; first += batchSize) {
        const batch = rows.slice(first, first + batchSize);
        const last = first + batch.length;
        await step.run(`rows ${first + 1}-${last}`, async (signal) => {
          // A kill in the middle of a step runs that step again, so each row replaces its older self.
          await products.put(batch);
          console.log(`imported rows ${first + 1}-${last}`);
          step.progress(last, rows.length);
          await setTimeout(pauseMs, undefined, { signal });
        });
      }
      return { rows: rows.length };
    },
  });
}
