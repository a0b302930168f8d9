import { createDurably, defineJob } from '@coji/durably';
import { createClient } from '@libsql/client';
import { LibsqlDialect } from '@libsql/kysely-libsql';
import { CompiledQuery } from 'kysely';
import { z } from 'zod';
import { type Contender, type Engine, type OpenOptions, STEPS, stepResult } from './contender.ts';
import { countDialect, StatementCounter } from './counting.ts';
import { engineOver } from './instance-engine.ts';

const input = z.object({ n: z.number() });
const jobs = {
  empty: defineJob({ name: 'empty', input, run: async () => undefined }),
  fiveSteps: defineJob({
    name: 'fiveSteps',
    input,
    run: async (step) => {
      for (let i = 0; i < STEPS; i++) await step.run(`step-${i}`, async () => stepResult(i));
    },
  }),
};

/**
 * Opens it over a default client. With a single connection it fails, because it uses the client while its own
 * transactions are open.
 */
export async function createInstance({ file, url, authToken, concurrency, isCounting = false }: OpenOptions) {
  const client = createClient({ url: url ?? `file:${file}`, ...(authToken && { authToken }) });
  const dialect = new LibsqlDialect({ client });
  const counter = new StatementCounter();
  if (isCounting) countDialect(dialect, counter);
  const durably = createDurably({
    dialect,
    jobs,
    ...(concurrency === undefined ? {} : { maxConcurrentRuns: concurrency }),
  });
  durably.on('worker:error', ({ error }) => console.error(error));
  await durably.migrate();
  return { durably, counter, close: () => client.close() };
}

export const coji: Contender = {
  synchronous: 'FULL',
  completedRuns: `select count(*) from durably_runs where status = 'completed'`,
  // Without this option it deletes the steps when a run ends.
  completedSteps: `select coalesce(sum(completed_step_count), 0) from durably_runs where status = 'completed'`,
  allRuns: 'select count(*) from durably_runs',
  open: async (options): Promise<Engine> => {
    const { durably, counter, close } = await createInstance(options);
    return engineOver(durably, {
      counter,
      query: (sql) => durably.db.executeQuery(CompiledQuery.raw(sql)),
      close: async () => {
        await durably.db.destroy();
        close();
      },
    });
  },
};
