import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';

const rowSchema = z.object({
  /** Real time, ms since the epoch. */
  at: z.number(),
  pid: z.int(),
  run: z.string(),
  /** The number of the run's claim, beginning with 1. */
  claim: z.int(),
  /** Identifies one execution of the job's code. */
  execution: z.string(),
  kind: z.enum(['begin', 'effect', 'mark', 'end']),
  key: z.string().optional(),
  step: z.string().optional(),
  value: z.string().optional(),
  mark: z.string().optional(),
  detail: z.string().optional(),
});
export type LedgerRow = z.infer<typeof rowSchema>;

/** Reads the effects of jobs, in the order in which they happened. */
export class Ledger {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  rows(): LedgerRow[] {
    if (!existsSync(this.path)) return [];
    const lines = readFileSync(this.path, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    return lines.map((line) => rowSchema.parse(JSON.parse(line)));
  }

  marks(mark: string): LedgerRow[] {
    return this.rows().filter((row) => row.mark === mark);
  }
}
