import Database from 'libsql';
import { type Contender, type Engine, INPUT, type Job, STEPS, stepResult } from './contender.ts';
import { countDatabase, StatementCounter } from './counting.ts';

const TABLES = `
create table if not exists runs (
  id integer primary key, job text not null, status text not null default 'pending',
  input text not null, output text
);
create index if not exists pending_runs on runs (id) where status = 'pending';
create table if not exists steps (
  run_id integer not null, name text not null, output text, primary key (run_id, name)
) without rowid;`;

/**
 * The minimum of a durable run: prepared statements with one commit for the trigger, the claim, each step and
 * the end. It has no engine, no journal and no lease.
 */
function floor(synchronous: 'FULL' | 'NORMAL'): Contender {
  return {
    synchronous,
    completedRuns: `select count(*) from runs where status = 'completed'`,
    completedSteps: 'select count(*) from steps',
    allRuns: 'select count(*) from runs',
    open: async ({ file, isCounting = false }): Promise<Engine> => {
      const database = new Database(file);
      database.exec('pragma journal_mode = wal');
      database.exec(`pragma synchronous = ${synchronous}`);
      database.exec(TABLES);
      const counter = new StatementCounter();
      if (isCounting) countDatabase(database, counter);
      const statements = {
        trigger: database.prepare('insert into runs (job, input) values (?, ?)'),
        claim: database.prepare(`update runs set status = 'running'
          where id = (select id from runs where status = 'pending' order by id limit 1) returning id, job`),
        step: database.prepare('insert into steps (run_id, name, output) values (?, ?, ?)'),
        finish: database.prepare(`update runs set status = 'completed', output = ? where id = ?`),
      };
      const trigger = (job: Job) => statements.trigger.run(job, JSON.stringify(INPUT));
      const runNext = (): boolean => {
        const run = statements.claim.get() as { id: number; job: Job } | undefined;
        if (run === undefined) return false;
        for (let i = 0; run.job === 'fiveSteps' && i < STEPS; i++) {
          statements.step.run(run.id, `step-${i}`, JSON.stringify(stepResult(i)));
        }
        statements.finish.run('null', run.id);
        engine.onCompleted();
        return true;
      };
      let isStarted = false;
      const loop = () => {
        if (isStarted && runNext()) setImmediate(loop);
      };
      const engine: Engine = {
        trigger: async (job) => {
          trigger(job);
          if (isStarted) runNext();
        },
        triggerMany: async (job, count) => {
          for (let i = 0; i < count; i++) trigger(job);
        },
        onCompleted: () => undefined,
        start: async () => {
          isStarted = true;
          loop();
        },
        stop: async () => {
          isStarted = false;
        },
        statements: () => counter.count,
        pragma: async (pragma) => {
          const row = database.prepare(`pragma ${pragma}`).get() as Record<string, unknown>;
          return String(Object.entries(row).find(([key]) => key !== '_metadata')?.[1]);
        },
        close: async () => {
          database.close();
        },
      };
      return engine;
    },
  };
}

export const floorFull = floor('FULL');
export const floorNormal = floor('NORMAL');
