import { type CompiledQuery, sql } from 'kysely';
import Database from 'libsql';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createDurably } from '../../../../src/index.ts';
import { openDatabase } from '../../../../src/sqlite.ts';
import { isOwnQuery, kindOf } from '../../../../src/storage/sqlite/query.ts';
import { interceptStatements } from '../../../support/dialects/intercepted-dialect.ts';
import { echo, job } from '../../../support/jobs.ts';
import { readAll, untilStatus } from '../../../support/runs.ts';
import { temporaryFile } from '../../../support/temporary-file.ts';

/** An instance on a file, and every query that its driver is given. */
async function recorded() {
  const path = temporaryFile();
  const { dialect, close } = await openDatabase({ url: `file:${path}` });
  const queries: CompiledQuery[] = [];
  const recording = interceptStatements(dialect, (query, execute) => {
    queries.push(query);
    return execute();
  });
  const durably = createDurably({ dialect: recording });
  await durably.init();
  onTestFinished(async () => {
    await durably.stop();
    await close();
  });
  return { path, queries, durably };
}

type Recorded = Awaited<ReturnType<typeof recorded>>;

/** Does what makes an instance send statements of many kinds. */
async function useEverything({ durably }: Recorded): Promise<void> {
  const { work, echo: plain } = durably.register({
    echo,
    work: job('work', async (step, payload) => {
      step.log.info('a line', 'x'.repeat(20_000));
      step.progress(1, 2);
      await step.run('one', () => 'y'.repeat(20_000));
      if (payload === 'fails') throw new Error('as told');
    }),
  });
  const failed = await work.trigger('fails', { labels: { tenant: 'a' } });
  await untilStatus(durably, failed.id, 'failed');
  await durably.retry(failed.id);
  await untilStatus(durably, failed.id, 'failed');
  const { id } = await plain.trigger('x'.repeat(20_000), { idempotencyKey: 'k', concurrencyKey: 'c' });
  await untilStatus(durably, id, 'completed');
  for (const filter of [{}, { labels: { tenant: 'a' } }, { limit: 1_000 }, { status: ['failed'] as const }]) {
    await durably.getRuns(filter);
  }
  await durably.getSteps(failed.id);
  await durably.getLogs({ runId: failed.id });
  await readAll(durably.subscribe(failed.id));
  await durably.deleteRun(id);
  await durably.health();
}

describe("a statement of durably's own", () => {
  test('reports whether it writes', async () => {
    const instance = await recorded();
    await useEverything(instance);
    const own = new Map(instance.queries.filter(isOwnQuery).map((query) => [query.sql, kindOf(query)]));
    expect(own.size).toBeGreaterThan(15);
    const raw = new Database(instance.path);
    onTestFinished(() => void raw.close());
    for (const [text, kind] of own) {
      const program = raw.prepare(`explain ${text}`).all() as { opcode: string; p2: number }[];
      const writes = program.some(({ opcode, p2 }) => opcode === 'Transaction' && p2 > 0);
      expect(kind, text).toBe(writes ? 'write' : 'read');
    }
  });

  test('is distinguished from the statements of a user', async () => {
    const { durably, queries } = await recorded();
    queries.length = 0;
    await durably.getRuns();
    await durably.db.selectFrom('durably_runs').select('id').execute();
    expect(queries.map(isOwnQuery)).toEqual([true, false]);
  });
});

test('a query through durably.db counts as a read only if Kysely has built it as a select', async () => {
  const { durably, queries } = await recorded();
  queries.length = 0;
  await durably.db.selectFrom('durably_runs').select('id').execute();
  await durably.db.updateTable('durably_runs').set({ attempt: 1 }).execute();
  await sql`select 1`.execute(durably.db);
  expect(queries.map(kindOf)).toEqual(['read', 'write', 'write']);
});
