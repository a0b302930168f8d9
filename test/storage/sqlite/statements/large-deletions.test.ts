import { expect } from 'vitest';
import { NotFoundError } from '../../../../src/core/errors/errors.ts';
import type { Durably } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { tripsOf } from '../../../support/dialects/recording-dialect.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { idle } from '../../../support/idle.ts';
import { echo } from '../../../support/jobs.ts';
import { journalTypes, readAll, rejectionOf } from '../../../support/runs.ts';
import { until } from '../../../support/until.ts';
import type { World } from '../../../support/world.ts';

/** A cancelled run with this many log lines and steps. The clock of the deleting instance stands still. */
async function largeRun(world: World, { rows, bytes = 10 }: { rows: number; bytes?: number }) {
  const clock = new FakeClock();
  const { durably, statements } = await world.idle({ clock });
  const run = await durably.register({ echo }).echo.trigger(1, { labels: { org: '1' } });
  await durably.cancel(run.id);
  const data = JSON.stringify('x'.repeat(bytes));
  for (let from = 0; from < rows; from += 1_000) {
    const indexes = Array.from({ length: Math.min(1_000, rows - from) }, (_, i) => from + i);
    const journalled = await durably.db
      .insertInto('durably_journal')
      .values(
        indexes.map((i) => ({
          run_id: run.id,
          job_name: 'echo',
          type: i % 2 === 0 ? ('log:write' as const) : ('step:complete' as const),
          step_name: `step ${i}`,
          step_index: i,
          data,
        })),
      )
      .returning(['sequence', 'step_name', 'type'])
      .execute();
    const steps = journalled.filter(({ type }) => type === 'step:complete');
    if (steps.length === 0) continue;
    await durably.db
      .insertInto('durably_steps')
      .values(
        steps.map(({ sequence, step_name }, i) => ({
          run_id: run.id,
          name: step_name ?? '',
          step_index: from + i,
          status: 'completed' as const,
          sequence,
        })),
      )
      .execute();
  }
  return { durably, statements, clock, id: run.id };
}

async function leftOver(durably: Durably): Promise<number> {
  const count = (table: 'durably_journal' | 'durably_steps') =>
    durably.db
      .selectFrom(table)
      .select(({ fn }) => fn.countAll<number>().as('rows'))
      .executeTakeFirstOrThrow();
  return Number((await count('durably_journal')).rows) + Number((await count('durably_steps')).rows) - 1;
}

contract('deleting a large run', (test) => {
  test('hides it from every reader at once, and removes it in portions', async ({ world }) => {
    const { durably, statements, clock, id } = await largeRun(world, { rows: 2_000 });
    const before = statements.length;
    await durably.deleteRun(id);
    const left = await leftOver(durably);
    expect(left).toBeGreaterThan(1_000);
    expect(await durably.getRun(id)).toBeNull();
    expect(await durably.getRuns({ labels: { org: '1' } })).toEqual([]);
    for (const call of [durably.getSteps(id), durably.getLogs({ runId: id })]) {
      expect(await rejectionOf(call)).toBeInstanceOf(NotFoundError);
    }
    for (const after of [0, 1, 700]) {
      const feed = await durably.openRunFeed(id, { after });
      if (feed.kind !== 'open') throw new Error(feed.kind);
      expect((await feed.cursor.next())?.map(({ event }) => event.type)).toEqual(['run:delete']);
      expect(await feed.cursor.next()).toBeNull();
      const list = await durably.openRunListFeed({ after });
      const events = await list.cursor.next();
      list.cursor.close();
      expect(events?.map(({ event }) => event.type)).toEqual(['run:delete']);
    }
    expect((await rejectionOf(readAll(durably.subscribe(id)))).name).toBe('NotFoundError');
    expect(await leftOver(durably)).toBeGreaterThan(0);
    // Other writers run between two portions, which are separated by the clock.
    await until(async () => {
      clock.advance(1_000);
      await idle();
      return (await leftOver(durably)) === 0;
    }, 'all portions to be deleted');
    const portions = statements.slice(before).filter(({ sql }) => sql.includes('update durably_deletions'));
    expect(portions.length).toBeGreaterThanOrEqual(3);
    expect(await durably.db.selectFrom('durably_deletions').selectAll().execute()).toEqual([]);
  });

  test('limits a portion in bytes', async ({ world }) => {
    const { durably, id } = await largeRun(world, { rows: 12, bytes: 400_000 });
    await durably.deleteRun(id);
    // Each portion ends with the row that reaches a mebibyte: after two of three rows. The next one waits for the
    // clock.
    await until(async () => (await leftOver(durably)) === 6, 'the first two portions to be deleted');
    await idle();
    expect(await leftOver(durably)).toBe(6);
  });

  test('takes one statement if the run fits a portion, and leaves nothing over', async ({ world }) => {
    const { durably, statements, id } = await largeRun(world, { rows: 400 });
    const before = statements.length;
    await durably.deleteRun(id);
    await idle();
    expect(tripsOf(statements.slice(before))).toBe(1);
    expect(await leftOver(durably)).toBe(0);
    expect(await durably.db.selectFrom('durably_deletions').selectAll().execute()).toEqual([]);
  });

  test('is finished by the next worker that starts, if its process vanished', async ({ world }) => {
    const { durably, id } = await largeRun(world, { rows: 1_500 });
    await durably.deleteRun(id);
    await durably.stop();
    expect(await leftOver(durably)).toBeGreaterThan(0);
    const clock = new FakeClock();
    await world.start({ clock });
    clock.advance(600_000);
    await until(async () => {
      clock.advance(1_000);
      await idle();
      return (await leftOver(durably)) === 0;
    }, 'the rest to be deleted');
  });

  test('is continued on demand by a shift that took a run', async ({ world }) => {
    const { durably, id } = await largeRun(world, { rows: 1_500 });
    await durably.deleteRun(id);
    await durably.stop();
    const { durably: onDemand } = await world.idle({ worker: 'on-demand' });
    await onDemand.register({ echo }).echo.trigger(1);
    expect(await onDemand.processUntilIdle()).toBeGreaterThan(0);
    // The steps of the run that the shift took.
    expect(await leftOver(durably)).toBe(3);
  });

  test('is done once, however many processes take part', async ({ world }) => {
    const { durably, id } = await largeRun(world, { rows: 1_500 });
    const kept = await durably.jobs.echo?.trigger(2);
    await durably.deleteRun(id);
    const clocks = [new FakeClock(), new FakeClock()];
    for (const clock of clocks) await world.start({ clock });
    for (const clock of clocks) clock.advance(600_000);
    await until(async () => {
      for (const clock of clocks) clock.advance(1_000);
      await idle();
      return (await leftOver(durably)) <= 1;
    }, 'all portions to be deleted');
    expect(await durably.db.selectFrom('durably_deletions').selectAll().execute()).toEqual([]);
    expect(await durably.getRun(kept?.id ?? '')).not.toBeNull();
    expect(await journalTypes(durably, id)).toEqual(['run:delete']);
  });
});
