import { createClient } from '@libsql/client';

export interface Entry {
  /** The expense's run. It has one entry. */
  readonly expenseId: string;
  readonly employee: string;
  readonly amount: number;
  readonly approvedBy: string;
}

/** Stands for your accounting: a table of your own, which durably knows nothing of. */
export interface Ledger {
  book(entry: Entry): Promise<void>;
  close(): void;
}

export async function openLedger(url: string): Promise<Ledger> {
  const client = createClient({ url });
  await client.execute(
    'create table if not exists entries (expense_id text primary key, employee text, amount real, approved_by text)',
  );
  return {
    async book({ expenseId, employee, amount, approvedBy }) {
      // A step that was interrupted runs again, so a second entry of the same expense changes nothing.
      const sql = 'insert or ignore into entries values (?, ?, ?, ?)';
      await client.execute({ sql, args: [expenseId, employee, amount, approvedBy] });
    },
    close: () => client.close(),
  };
}
