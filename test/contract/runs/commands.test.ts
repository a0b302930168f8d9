import { expect } from 'vitest';
import { RUN_STATUSES, RUN_TRANSITIONS, type RunCommand, type RunStatus } from '../../../src/core/run.ts';
import { ConflictError, type Durably, NotFoundError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { echo, job } from '../../support/jobs.ts';
import { journalTypes, nextEvent, recordEvents, rejectionOf, untilStatus } from '../../support/runs.ts';
import type { World } from '../../support/world.ts';

const COMMANDS = ['cancel', 'retry', 'delete'] as const satisfies RunCommand[];
const EVENTS = { cancel: 'run:cancel', retry: 'run:retry', delete: 'run:delete' } as const;

const carryOut = (durably: Durably, command: RunCommand, runId: string) =>
  command === 'delete' ? durably.deleteRun(runId) : durably[command](runId);

/** A run that reached this state normally, with a finished step where that is possible. */
async function runIn(status: RunStatus, world: World) {
  const { durably } = await world.start();
  const { any } = durably.register({
    any: job('any', async (step) => {
      await step.run('first', () => {
        step.progress(1, 2);
        step.log.info('line');
      });
      if (status === 'failed') throw new Error('failed');
      if (status === 'running' || status === 'cancelled') await new Promise(() => undefined);
      if (status === 'waiting') await step.sleep('rest', '1h');
      return 'output';
    }),
  });
  if (status === 'pending') await durably.stop();
  const stored = nextEvent(durably, 'step:complete');
  const { id } = await any.trigger({ kept: true }, { idempotencyKey: 'i', concurrencyKey: 'c' });
  if (status !== 'pending') await stored;
  if (status === 'cancelled') await durably.cancel(id);
  const run = await untilStatus(durably, id, status);
  if (status !== 'running') await durably.stop();
  return { durably, run };
}

contract('commands', (test) => {
  test.for(COMMANDS.flatMap((command) => RUN_STATUSES.map((status) => [command, status] as const)))(
    '%s of a %s run',
    async ([command, status], { world }) => {
      const { durably, run } = await runIn(status, world);
      const transition = RUN_TRANSITIONS[command];
      const isLegal = (transition.from as readonly RunStatus[]).includes(status);
      const events = recordEvents(durably, Object.values(EVENTS));
      const before = await journalTypes(durably, run.id);
      if (isLegal) {
        await carryOut(durably, command, run.id);
        expect((await durably.getRun(run.id))?.status ?? null).toBe(transition.to);
        expect(events).toMatchObject([{ type: EVENTS[command], runId: run.id, jobName: 'any' }]);
        expect((await journalTypes(durably, run.id)).at(-1)).toBe(EVENTS[command]);
        return;
      }
      const error = await rejectionOf(carryOut(durably, command, run.id));
      expect(error).toBeInstanceOf(ConflictError);
      expect(error.message).toContain(status);
      expect((await durably.getRun(run.id))?.status).toBe(status);
      expect(events).toEqual([]);
      expect((await journalTypes(durably, run.id)).slice(0, before.length)).toEqual(before);
    },
  );

  test.for(COMMANDS)('%s of an unknown run', async (command, { world }) => {
    const { durably } = await world.idle();
    for (const runId of ['run_unknown', '', '\ud800', 'a\0b', '🙂'.repeat(1000)]) {
      const error = await rejectionOf(carryOut(durably, command, runId));
      expect(error).toBeInstanceOf(NotFoundError);
      expect(error.message).toBe('Run not found');
    }
  });

  test.for(['cancel', 'delete', 'retry'] as const)(
    'when callers race, one wins: %s',
    async (command, { world }) => {
      const { durably, run } = await runIn(command === 'cancel' ? 'pending' : 'failed', world);
      const { durably: other } = await world.idle();
      const calls = Array.from({ length: 8 }, (_, i) =>
        carryOut(i % 2 === 0 ? durably : other, command, run.id),
      );
      const outcomes = await Promise.allSettled(calls);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === 'fulfilled') continue;
        expect(outcome.reason).toBeInstanceOf(command === 'delete' ? NotFoundError : ConflictError);
      }
      expect((await journalTypes(durably, run.id)).filter((type) => type === EVENTS[command])).toHaveLength(
        1,
      );
    },
  );

  test('when a retry and a delete race, one wins', async ({ world }) => {
    const { durably, run } = await runIn('failed', world);
    const outcomes = await Promise.allSettled([durably.retry(run.id), durably.deleteRun(run.id)]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const isRetried = outcomes[0].status === 'fulfilled';
    expect((await durably.getRun(run.id))?.status).toBe(isRetried ? 'pending' : undefined);
  });
});

contract('retry', (test) => {
  test.for(['failed', 'cancelled'] as const)(
    'of a %s run clears its end and keeps the rest',
    async (status, { world }) => {
      const { durably, run } = await runIn(status, world);
      const { durably: later } = await world.idle();
      const newer = await later.register({ echo }).echo.trigger(1);
      await durably.retry(run.id);
      const retried = await durably.getRun(run.id);
      expect(retried).toEqual({
        ...run,
        status: 'pending',
        isTerminal: false,
        isActive: true,
        error: null,
        errorDetail: null,
        failedStepName: null,
        output: null,
        progress: null,
        completedAt: null,
        heartbeatAt: null,
        updatedAt: retried?.updatedAt,
      });
      expect(retried).toMatchObject({ attempt: 1, stepCount: 1, idempotencyKey: 'i', concurrencyKey: 'c' });
      expect(retried?.startedAt).not.toBeNull();
      expect((await durably.getRuns()).map(({ id }) => id)).toEqual([newer.id, run.id]);
      expect(await durably.getSteps(run.id)).toHaveLength(1);
      expect(await durably.getLogs({ runId: run.id })).toHaveLength(1);
    },
  );

  test('resumes at the failed step, with the next attempt and a new end', async ({ world }) => {
    const { durably } = await world.start({ clock: new FakeClock() });
    const calls: string[] = [];
    let isBroken = true;
    const { staged } = durably.register({
      staged: job('staged', async (step) => {
        await step.run('a', () => void calls.push('a'));
        await step.run('b', () => {
          calls.push('b');
          if (isBroken) throw new Error('b broke');
        });
        return 'output';
      }),
    });
    const run = await staged.trigger(0);
    const failed = await untilStatus(durably, run.id, 'failed');
    isBroken = false;
    await durably.retry(run.id);
    const done = await untilStatus(durably, run.id, 'completed');
    expect(calls).toEqual(['a', 'b', 'b']);
    expect(done).toMatchObject({ attempt: 2, error: null, output: 'output', startedAt: failed.startedAt });
  });

  test('accepts a cancelled run that never started', async ({ world }) => {
    const { durably } = await world.idle();
    const run = await durably.register({ echo }).echo.trigger('x');
    await durably.cancel(run.id);
    await durably.retry(run.id);
    durably.start();
    expect(await untilStatus(durably, run.id, 'completed')).toMatchObject({ attempt: 1, output: 'x' });
  });
});

contract('deleteRun', (test) => {
  test('deletes the run, its steps, logs and journal, and adds one run:delete event', async ({ world }) => {
    const { durably, run } = await runIn('failed', world);
    await durably.deleteRun(run.id);
    expect(await durably.getRun(run.id)).toBeNull();
    expect(await durably.getRuns()).toEqual([]);
    expect(await durably.db.selectFrom('durably_steps').selectAll().execute()).toEqual([]);
    expect(await journalTypes(durably, run.id)).toEqual(['run:delete']);
    for (const call of [durably.getSteps(run.id), durably.getLogs({ runId: run.id })]) {
      expect(await rejectionOf(call)).toBeInstanceOf(NotFoundError);
    }
  });

  test('does not change other runs', async ({ world }) => {
    const { durably } = await world.start();
    const { stepped } = durably.register({ stepped: job('stepped', (step) => step.run('one', () => 1)) });
    const [gone, kept] = await stepped.batchTrigger([1, 2]);
    await untilStatus(durably, kept?.id ?? '', 'completed');
    const before = await journalTypes(durably, kept?.id ?? '');
    await durably.deleteRun(gone?.id ?? '');
    expect(await durably.getSteps(kept?.id ?? '')).toHaveLength(1);
    expect(await journalTypes(durably, kept?.id ?? '')).toEqual(before);
  });

  test('keeps the run:delete event for a day, then purges it within the hour', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ clock });
    const handle = durably.register({ echo }).echo;
    const [young, old, kept] = await handle.batchTrigger([1, 2, 3]);
    const ids = [young?.id ?? '', old?.id ?? '', kept?.id ?? ''] as const;
    await untilStatus(durably, ids[2], 'completed');
    await durably.deleteRun(ids[0]);
    await durably.deleteRun(ids[1]);
    const day = 24 * 60 * 60 * 1000;
    await age(durably, ids[0], day - 60_000);
    await age(durably, ids[1], day + 1);
    await age(durably, ids[2], 10 * day);
    const types = () => Promise.all(ids.map((id) => journalTypes(durably, id)));
    const before = await types();
    clock.advance(59 * 60 * 1000);
    await idle();
    expect(await types()).toEqual(before);
    clock.advance(60 * 1000);
    await expect.poll(types).toEqual([['run:delete'], [], before[2]]);
  });
});

async function age(durably: Durably, runId: string, byMs: number): Promise<void> {
  await durably.db
    .updateTable('durably_journal')
    .set((eb) => ({ created_at: eb('created_at', '-', byMs) }))
    .where('run_id', '=', runId)
    .execute();
}
