import { z } from 'zod';
import type { Durably, DurablyOptions } from '../../src/index.ts';
import { createDurably, defineJob, openDatabase, requireAsDurably } from '../repository.ts';
import { type Contender, type Engine, INPUT, type OpenOptions, STEPS, stepResult } from './contender.ts';
import { countDialect, StatementCounter } from './counting.ts';
import type { FlowEngine } from './flow.ts';
import { engineOver } from './instance-engine.ts';
import type { LimitsEngine } from './limits.ts';

const PER_KEY = 2;
const input = z.object({ n: z.number() });
const jobs = {
  empty: defineJob({ name: 'empty', input, run: () => undefined }),
  fiveSteps: defineJob({
    name: 'fiveSteps',
    input,
    run: async (step) => {
      for (let i = 0; i < STEPS; i++) await step.run(`step-${i}`, () => stepResult(i));
    },
  }),
  /** A job whose output has this many bytes. */
  largeOutput: defineJob({ name: 'largeOutput', input, run: (_step, { n }) => 'x'.repeat(n) }),
  twoSteps: defineJob({
    name: 'twoSteps',
    input,
    run: async (step) => {
      await step.run('first', () => stepResult(1));
      await step.run('second', () => stepResult(2));
    },
  }),
  sleepBetween: defineJob({
    name: 'sleepBetween',
    input,
    run: async (step) => {
      await step.run('first', () => stepResult(1));
      await step.sleep('between', 0);
      await step.run('second', () => stepResult(2));
    },
  }),
  sleeper: defineJob({ name: 'sleeper', input, run: (step) => step.sleep('an hour', '1h') }),
  approval: defineJob({ name: 'approval', input, run: (step) => step.waitForSignal('approval') }),
  /** A job with this many results of a megabyte. */
  largeSteps: defineJob({
    name: 'largeSteps',
    input,
    run: async (step, { n }) => {
      for (let i = 0; i < n; i++) await step.run(`step-${i}`, () => 'x'.repeat(1024 * 1024));
    },
  }),
};

/** Two runs of each key at once. */
const limited = defineJob({
  name: 'limited',
  input,
  concurrency: { perKey: PER_KEY, key: ({ n }) => String(n) },
  run: () => undefined,
});

interface Opened extends Pick<DurablyOptions, 'dialect' | 'reconnect'> {
  close(): void;
}

type Address = Parameters<typeof openDatabase>[0];

/** Opens LibsqlDialect as docs/library.md shows it. */
async function openAsDocumented({ url, authToken }: Address): Promise<Opened> {
  const { createClient } = requireAsDurably('@libsql/client') as typeof import('@libsql/client');
  const { LibsqlDialect } = requireAsDurably('@libsql/kysely-libsql') as {
    LibsqlDialect: new (config: { client: object }) => Opened['dialect'];
  };
  const client = createClient({ url, ...(authToken && { authToken }) });
  return { dialect: new LibsqlDialect({ client }), close: () => client.close() };
}

export async function createInstance(
  open: (address: Address) => Promise<Opened>,
  { file, url = `file:${file}`, authToken, concurrency, isCounting = false, hasLimits = false }: OpenOptions,
) {
  const { close, ...opened } = await open({ url, authToken });
  const counter = new StatementCounter();
  if (isCounting) countDialect(opened.dialect, counter);
  const durably = createDurably({ ...opened, maxConcurrentRuns: concurrency, jobs });
  const handles = hasLimits ? durably.register({ limited }) : undefined;
  durably.on('worker:error', ({ error }) => console.error(error));
  await durably.migrate();
  return { durably, limited: handles?.limited, counter, close };
}

function contender(open: (address: Address) => Promise<Opened>): Contender {
  return {
    synchronous: 'FULL',
    completedRuns: `select count(*) from durably_runs where status = 'completed'`,
    completedSteps: `select count(*) from durably_steps where status = 'completed'`,
    allRuns: 'select count(*) from durably_runs',
    open: async (options): Promise<Engine> => {
      const { durably, limited, counter, close } = await createInstance(open, options);
      const query = (sql: string) => durably.db.executeQuery(rawQuery(sql));
      const engine = engineOver(durably, {
        counter,
        query,
        close: async () => {
          await durably.db.destroy();
          close();
        },
      });
      const limits = limited && limitsOver(durably, limited, query);
      const look = () => durably.processOne();
      const purge = () => durably.purgeRuns({ olderThan: 0 });
      return Object.assign(engine, { look, purge, flow: flowOver(durably, query) }, limits && { limits });
    },
  };
}

type Instance = Awaited<ReturnType<typeof createInstance>>['durably'];

function flowOver(
  durably: Instance,
  query: (sql: string) => Promise<{ readonly rows: readonly unknown[] }>,
): FlowEngine {
  return {
    trigger: async (job) => (await durably.jobs[job].trigger(INPUT)).id,
    signal: async (runId) => {
      await durably.signal(runId, 'approval');
    },
    countWaiting: async () => {
      const { rows } = await query(`select count(*) from durably_runs where status = 'waiting'`);
      return Number(Object.values(rows[0] as object)[0]);
    },
    makeDue: async () => {
      await query(`update durably_steps set due_at = 1 where status = 'open'`);
      await query(`update durably_runs set due_at = 1 where status = 'waiting'`);
    },
  };
}

function limitsOver(
  durably: Instance,
  job: NonNullable<Awaited<ReturnType<typeof createInstance>>['limited']>,
  query: (sql: string) => Promise<unknown>,
): LimitsEngine {
  const look = async () => {
    await durably.processOne();
  };
  return {
    triggerKeyed: async (runs, keys) => {
      for (let i = 0; i < runs; i += 1000) {
        await job.batchTrigger(
          Array.from({ length: Math.min(1000, runs - i) }, (_, n) => ({ n: (i + n) % keys })),
        );
      }
    },
    fill: async (keys, waiting) => {
      // Adds what limits need to the schema.
      await look();
      const running = keys * PER_KEY;
      await query(`
insert into durably_runs (id, job_name, payload, limit_key, key_turn, fence, status, heartbeat_at)
with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ${running + waiting})
select printf('run_%026d', i), 'limited', '{"n":1}', '=' || (i % ${keys}), 3, 1,
  iif(i < ${running}, 'running', 'pending'),
  iif(i < ${running}, 0, null) from n`);
      await query(
        `update durably_runs set heartbeat_at = cast(unixepoch('subsec') * 1000 as integer) where status = 'running'`,
      );
      // Each refreshes a thousand lines.
      for (let i = 0; i < keys / 500; i++) await look();
    },
    look,
  };
}

type Query = Parameters<Durably['db']['executeQuery']>[0];

function rawQuery(sql: string): Query {
  const { CompiledQuery } = requireAsDurably('kysely') as { CompiledQuery: { raw(sql: string): Query } };
  return CompiledQuery.raw(sql);
}

export const openers = { documented: openAsDocumented, service: openDatabase };

export const durablyDocumented = contender(openers.documented);
export const durablyService = contender(openers.service);
