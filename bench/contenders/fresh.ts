import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import type { Contender, Engine, Job, OpenOptions } from './contender.ts';
import { STEPS } from './contender.ts';

/** The expected contents of the file. They are read by another connection after the contender has closed its own. */
export interface Expected {
  readonly job: Job;
  readonly all: number;
  readonly completed: number;
}

interface FreshOptions extends Omit<OpenOptions, 'file'> {
  readonly folder: string;
  /** A seeded file, to use instead of an empty one. */
  readonly file?: string | undefined;
  readonly expected?: Expected | undefined;
}

/** Runs `work` on a contender with its own database. Checks the database's settings before and its contents after. */
export async function onFreshDatabase<T>(
  contender: Contender,
  { folder, file, expected, ...options }: FreshOptions,
  work: (engine: Engine) => Promise<T>,
): Promise<T> {
  const own = mkdtempSync(join(folder, 'db-'));
  const path = file ?? join(own, 'bench.db');
  try {
    if (file === undefined) makeWalFile(path);
    const engine = await contender.open({ ...options, file: path });
    let result: T;
    try {
      if (options.url === undefined) await checkSettings(contender, engine);
      result = await work(engine);
      await engine.stop();
    } finally {
      await engine.close();
    }
    if (expected) checkStored(contender, path, expected);
    return result;
  } finally {
    rmSync(own, { recursive: true });
  }
}

/** The file stores the WAL mode, so every later connection uses it. */
export function makeWalFile(path: string): void {
  const database = new Database(path);
  database.exec('pragma journal_mode = wal');
  database.close();
}

const SYNCHRONOUS: Readonly<Record<string, string>> = { '1': 'NORMAL', '2': 'FULL' };

export async function readSettings(engine: Engine) {
  const synchronous = await engine.pragma('synchronous');
  return {
    journalMode: await engine.pragma('journal_mode'),
    synchronous: SYNCHRONOUS[synchronous] ?? synchronous,
  };
}

async function checkSettings({ synchronous }: Contender, engine: Engine): Promise<void> {
  const settings = await readSettings(engine);
  if (settings.journalMode === 'wal' && settings.synchronous === synchronous) return;
  throw new Error(`wrong settings: ${JSON.stringify(settings)}`);
}

function checkStored(contender: Contender, path: string, { job, all, completed }: Expected): void {
  const database = new Database(path);
  try {
    const count = (sql: string) => Number(Object.values(database.prepare(sql).get() as object)[0]);
    const stored = { all: count(contender.allRuns), completed: count(contender.completedRuns) };
    if (stored.all !== all || stored.completed < completed) {
      throw new Error(`stored ${JSON.stringify(stored)}, expected ${JSON.stringify({ all, completed })}`);
    }
    const steps = count(contender.completedSteps);
    const leastSteps = job === 'fiveSteps' ? completed * STEPS : 0;
    if (steps < leastSteps) throw new Error(`stored ${steps} steps, expected ${leastSteps}`);
  } finally {
    database.close();
  }
}
