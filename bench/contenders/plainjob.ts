import Database from 'better-sqlite3';
import { better, defineQueue, defineWorker } from 'plainjob';
import { type Contender, type Engine, INPUT, type Job } from './contender.ts';
import { countDatabase, StatementCounter } from './counting.ts';

const silent = { error: console.error, warn: () => undefined, info: () => undefined, debug: () => undefined };

/** A queue without steps. Each worker takes one job at a time, so every slot has its own worker. */
export const plainjob: Contender = {
  synchronous: 'FULL',
  completedRuns: 'select count(*) from plainjob_jobs where status = 2',
  completedSteps: 'select 0',
  allRuns: 'select count(*) from plainjob_jobs',
  open: async ({ file, concurrency = 1, isCounting = false }): Promise<Engine> => {
    const database = new Database(file);
    const counter = new StatementCounter();
    if (isCounting) countDatabase(database, counter);
    const queue = defineQueue({ connection: better(database), logger: silent });
    // plainjob sets NORMAL when it opens.
    database.exec('pragma synchronous = FULL');
    const workers = Array.from({ length: concurrency }, () =>
      defineWorker('empty', async () => undefined, {
        queue,
        logger: silent,
        onCompleted: () => {
          engine.onCompleted();
        },
      }),
    );
    let ended: Promise<unknown> = Promise.resolve();
    const engine: Engine = {
      trigger: async (job) => queue.add(withoutSteps(job), INPUT),
      triggerMany: async (job, count) =>
        queue.addMany(
          withoutSteps(job),
          Array.from({ length: count }, () => INPUT),
        ),
      onCompleted: () => undefined,
      start: async () => {
        ended = Promise.all(workers.map((worker) => worker.start()));
      },
      stop: async () => {
        for (const worker of workers) await worker.stop();
        await ended;
      },
      statements: () => counter.count,
      pragma: async (pragma) => {
        const row = database.prepare(`pragma ${pragma}`).get() as Record<string, unknown>;
        return String(Object.values(row)[0]);
      },
      close: async () => queue.close(),
    };
    return engine;
  },
};

function withoutSteps(job: Job): 'empty' {
  if (job !== 'empty') throw new Error('has no steps');
  return job;
}
