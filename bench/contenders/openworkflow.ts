import Module from 'node:module';
import Database from 'better-sqlite3';
import { type Contender, type Engine, INPUT, STEPS, stepResult } from './contender.ts';
import { countDatabase, StatementCounter } from './counting.ts';

/**
 * openworkflow opens its file with node:sqlite, which Node 20 does not have. better-sqlite3 provides the calls
 * it makes.
 */
function standInForNodeSqlite(): void {
  if (Module.builtinModules.includes('node:sqlite') || Module.isBuiltin('node:sqlite')) return;
  const loader = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown };
  const load = loader._load.bind(loader);
  loader._load = (request, ...rest) =>
    request === 'node:sqlite' ? { DatabaseSync: Database } : load(request, ...rest);
}

export const openworkflow: Contender = {
  synchronous: 'FULL',
  completedRuns: `select count(*) from workflow_runs where status = 'completed'`,
  completedSteps: `select count(*) from step_attempts where status = 'completed'`,
  allRuns: 'select count(*) from workflow_runs',
  open: async ({ file, concurrency, isCounting = false }): Promise<Engine> => {
    standInForNodeSqlite();
    const { OpenWorkflow } = await import('openworkflow');
    const { BackendSqlite } = await import('openworkflow/sqlite');
    const backend = BackendSqlite.connect(file);
    backend.db.exec('pragma synchronous = FULL');
    const counter = new StatementCounter();
    if (isCounting) countDatabase(backend.db, counter);
    const complete = backend.completeWorkflowRun.bind(backend);
    backend.completeWorkflowRun = async (params) => {
      const run = await complete(params);
      engine.onCompleted();
      return run;
    };
    const client = new OpenWorkflow({ backend });
    const workflows = {
      empty: client.defineWorkflow({ name: 'empty' }, async () => undefined),
      fiveSteps: client.defineWorkflow({ name: 'fiveSteps' }, async ({ step }) => {
        for (let i = 0; i < STEPS; i++) await step.run({ name: `step-${i}` }, async () => stepResult(i));
      }),
    };
    const worker = client.newWorker(concurrency === undefined ? {} : { concurrency });
    const engine: Engine = {
      trigger: (job) => workflows[job].run(INPUT),
      triggerMany: async (job, count) => {
        for (let i = 0; i < count; i++) await workflows[job].run(INPUT);
      },
      onCompleted: () => undefined,
      start: () => worker.start(),
      stop: () => worker.stop(),
      statements: () => counter.count,
      pragma: async (pragma) => {
        const row = backend.db.prepare(`pragma ${pragma}`).get() as Record<string, unknown>;
        return String(Object.values(row)[0]);
      },
      close: () => backend.stop(),
    };
    return engine;
  },
};
