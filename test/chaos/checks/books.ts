import Database from 'libsql';
import type { Records } from '../support/records.ts';

interface Book {
  readonly run_id: string;
  readonly step: string;
  readonly value: string;
}

/** The rows that steps have written in their transactions. */
export function readBooks(path: string): Book[] {
  const database = new Database(path, { readonly: true });
  try {
    return database.prepare('select run_id, step, value from chaos_books').all() as Book[];
  } finally {
    database.close();
  }
}

/** Each row has a step whose result is its value, and each of those steps has its row, once. */
export function checkBooks({ journal }: Records, books: readonly Book[]): string[] {
  const violations: string[] = [];
  const results = new Map<string, string | null>();
  for (const { type, run_id, step_name, data } of journal) {
    if (type !== 'step:complete') continue;
    const step = `${run_id} ${step_name}`;
    if (results.has(step)) violations.push(`${step} was completed twice`);
    results.set(step, data);
  }
  const written = new Set<string>();
  for (const { run_id, step, value } of books) {
    const name = `${run_id} ${step}`;
    if (written.has(name)) violations.push(`${name} has written twice`);
    written.add(name);
    if (results.get(name) !== JSON.stringify(value))
      violations.push(`${name} has written, and has no result`);
  }
  for (const step of results.keys()) {
    if (!written.has(step)) violations.push(`${step} has a result, and has written nothing`);
  }
  return violations;
}
