import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { job } from '../../support/jobs.ts';
import {
  ISO_MS,
  journalTypes,
  nextEvent,
  recordEvents,
  untilEnded,
  untilStatus,
} from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';

function iso(): unknown {
  return expect.stringMatching(ISO_MS);
}

contract('step.run', (test) => {
  test('stores each result in order and returns it', async ({ world }) => {
    const { durably } = await world.start();
    const { sum } = durably.register({
      sum: job('sum', async (step) => {
        const one = await step.run('one', () => 1);
        const two = await step.run('two', async () => ({ value: 2 }));
        return one + two.value;
      }),
    });
    const { id, output } = await sum.triggerAndWait(0);
    expect(output).toBe(3);
    expect(await durably.getSteps(id)).toEqual([
      {
        name: 'one',
        index: 0,
        kind: 'run',
        status: 'completed',
        output: 1,
        error: null,
        errorDetail: null,
        startedAt: iso(),
        completedAt: iso(),
      },
      {
        name: 'two',
        index: 1,
        kind: 'run',
        status: 'completed',
        output: { value: 2 },
        error: null,
        errorDetail: null,
        startedAt: iso(),
        completedAt: iso(),
      },
    ]);
    const stored = await durably.db
      .selectFrom('durably_steps')
      .select(['run_id', 'name', 'status'])
      .execute();
    expect(stored).toEqual([
      { run_id: id, name: 'one', status: 'completed' },
      { run_id: id, name: 'two', status: 'completed' },
    ]);
  });

  test('returns the same value in the first run and in a replay', async ({ world, skip }) => {
    skip(world.isEncoded, 'looks at stored rows');
    const { durably } = await world.start();
    const values: Record<string, () => unknown> = {
      date: () => new Date(0),
      undefined: () => undefined,
      null: () => null,
      nan: () => Number.NaN,
      negativeZero: () => -0,
      nested: () => ({ gone: undefined, kept: null, list: [undefined, () => 1], at: new Date(5) }),
      map: () => new Map([['a', 1]]),
      text: () => 'a "quoted" \\ \n text',
      big: () => Number.MAX_SAFE_INTEGER,
      fraction: () => 0.1 + 0.2,
      toJson: () => ({ toJSON: () => 'as told' }),
      toNothing: () => ({ toJSON: () => undefined }),
      proto: () => JSON.parse('{"__proto__": 1}'),
    };
    const seen: unknown[][] = [];
    const calls: string[] = [];
    const { replayed } = durably.register({
      replayed: job('replayed', async (step) => {
        const attempt: unknown[] = [];
        seen.push(attempt);
        for (const [name, make] of Object.entries(values)) {
          attempt.push(
            await step.run(name, () => {
              calls.push(name);
              return make();
            }),
          );
        }
        if (seen.length === 1) throw new Error('again, please');
      }),
    });
    const run = await replayed.trigger(0);
    await untilStatus(durably, run.id, 'failed');
    await durably.retry(run.id);
    await untilStatus(durably, run.id, 'completed');
    expect(seen[1]).toStrictEqual(seen[0]);
    expect(calls).toEqual(Object.keys(values));
    const [date, nothing, nil, nan] = seen[0] ?? [];
    expect([date, nothing, nil, nan]).toStrictEqual(['1970-01-01T00:00:00.000Z', undefined, null, null]);
    const columns = await durably.db
      .selectFrom('durably_journal')
      .select(['step_name', 'data'])
      .where('type', '=', 'step:complete')
      .where('step_name', 'in', ['undefined', 'null'])
      .orderBy('sequence')
      .execute();
    expect(columns).toEqual([
      { step_name: 'undefined', data: null },
      { step_name: 'null', data: 'null' },
    ]);
  });

  test('does not store changes that the caller makes to a result', async ({ world }) => {
    const { durably } = await world.start();
    const source = { list: [1] };
    const { changing } = durably.register({
      changing: job('changing', async (step) => {
        const result = await step.run('make', () => source);
        result.list.push(2);
        return source;
      }),
    });
    const { id, output } = await changing.triggerAndWait(0);
    expect(output).toEqual({ list: [1] });
    expect((await durably.getSteps(id))[0]?.output).toEqual({ list: [1] });
  });

  test('emits and stores nothing for replayed steps', async ({ world }) => {
    const { durably } = await world.start();
    let isBroken = true;
    const { twice } = durably.register({
      twice: job('twice', async (step) => {
        await step.run('kept', () => 1);
        await step.run('flaky', () => {
          if (isBroken) throw new Error('not yet');
        });
      }),
    });
    const run = await twice.trigger(0);
    await untilStatus(durably, run.id, 'failed');
    const before = await durably.getSteps(run.id);
    isBroken = false;
    const events = recordEvents(durably);
    await durably.retry(run.id);
    await untilEnded(durably, run.id);
    expect(events.map(({ type }) => type)).toEqual([
      'run:retry',
      'run:start',
      'step:start',
      'step:complete',
      'run:complete',
    ]);
    expect((await journalTypes(durably, run.id)).slice(-5)).toEqual(events.map(({ type }) => type));
    const after = await durably.getSteps(run.id);
    expect(after[0]).toEqual(before[0]);
    expect(after[1]).toMatchObject({ name: 'flaky', index: 1, status: 'completed' });
  });

  test("provides the run's id as step.runId", async ({ world }) => {
    const { durably } = await world.start();
    const { self } = durably.register({ self: job('self', (step) => step.runId) });
    const { id, output } = await self.triggerAndWait(0);
    expect(output).toBe(id);
  });

  test('records the times at which the step started and ended', async ({ world }) => {
    const clock = new FakeClock();
    const { durably } = await world.start({ clock });
    const gate = deferred();
    const { slow } = durably.register({ slow: job('slow', (step) => step.run('wait', () => gate.promise)) });
    const started = nextEvent(durably, 'step:start');
    const run = await slow.trigger(0);
    await until(() => clock.pendingMs.includes(50));
    clock.advance(50);
    await started;
    clock.advance(1_184);
    const completed = nextEvent(durably, 'step:complete');
    gate.resolve();
    expect((await completed).duration).toBe(1_234);
    const [step] = await durably.getSteps(run.id);
    expect(step?.completedAt).toMatch(ISO_MS);
    expect(Date.parse(step?.completedAt ?? '') - Date.parse(step?.startedAt ?? '')).toBe(1_234);
  });

  test('gives an empty list of steps for a run without steps, and an error for an unknown run', async ({
    world,
  }) => {
    const { durably } = await world.idle();
    const { bare } = durably.register({ bare: job('bare', () => 1) });
    expect(await durably.getSteps((await bare.trigger(0)).id)).toEqual([]);
    await expect(durably.getSteps('run_unknown')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
