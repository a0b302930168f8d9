import type { Connection } from './connection.ts';
import { NOW_MS } from './sql.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** A deleted run's `run:delete` row stays for a day, so that lists learn of it. */
export async function purgeDeletions(connection: Connection): Promise<void> {
  await connection.execute({
    sql: `delete from durably_journal indexed by durably_journal_deletions
      where type = 'run:delete' and created_at < ${NOW_MS} - ?`,
    parameters: [DAY_MS],
  });
}
