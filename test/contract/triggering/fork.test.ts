import { sql } from 'kysely';
import { expect } from 'vitest';
import { z } from 'zod';
import { defineJob, NotFoundError, ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { journalTypes, recordEvents, rejectionOf, untilStatus } from '../../support/runs.ts';

/** A job of three steps, which records what it calls. */
function threeSteps() {
  const calls: string[] = [];
  const three = defineJob({
    name: 'three',
    input: z.object({ n: z.number() }),
    run: async (step, { n }) => {
      const run = (name: string) =>
        step.run(name, () => {
          calls.push(`${name} ${n}`);
          return `${name} ${n}`;
        });
      return [await run('one'), await run('two'), await run('three')];
    },
  });
  return { calls, three };
}

contract('fork', (test) => {
  test('makes a new run in which the steps before one are done', async ({ world }) => {
    const { durably } = await world.start();
    const { calls, three } = threeSteps();
    const { three: handle } = durably.register({ three });
    const first = await handle.trigger(
      { n: 1 },
      { labels: { org: '1' }, concurrencyKey: 'key', idempotencyKey: 'i' },
    );
    await untilStatus(durably, first.id, 'completed');
    const events = recordEvents(durably, ['run:trigger']);
    const forked = await durably.fork(first.id, { from: 'two' });
    expect(forked).toMatchObject({
      jobName: 'three',
      payload: { n: 1 },
      labels: { org: '1' },
      concurrencyKey: 'key',
      idempotencyKey: null,
      parentRunId: null,
    });
    expect(forked.id).not.toBe(first.id);
    const done = await untilStatus(durably, forked.id, 'completed');
    expect(done).toMatchObject({ output: ['one 1', 'two 1', 'three 1'], stepCount: 3, attempt: 1 });
    expect(calls).toEqual(['one 1', 'two 1', 'three 1', 'two 1', 'three 1']);
    expect(events).toMatchObject([{ type: 'run:trigger', runId: forked.id, forkedFrom: first.id }]);
    const [copied, again] = [await durably.getSteps(first.id), await durably.getSteps(forked.id)];
    expect(again[0]).toEqual(copied[0]);
    expect((await journalTypes(durably, forked.id)).slice(0, 3)).toEqual([
      'run:trigger',
      'step:complete',
      'run:start',
    ]);
    expect(await durably.getRun(first.id)).toMatchObject({ status: 'completed', stepCount: 3 });
  });

  test('takes another input, for the steps that are not done', async ({ world }) => {
    const { durably } = await world.start();
    const { three } = threeSteps();
    const { three: handle } = durably.register({ three });
    const { id } = await handle.trigger({ n: 1 });
    await untilStatus(durably, id, 'completed');
    const forked = await durably.fork(id, { from: 'three', input: { n: 2 } });
    expect(forked.payload).toEqual({ n: 2 });
    expect((await untilStatus(durably, forked.id, 'completed')).output).toEqual([
      'one 1',
      'two 1',
      'three 2',
    ]);
  });

  test('goes on from a step that failed, and outlives the run that it came from', async ({ world }) => {
    const { durably } = await world.start();
    let isBroken = true;
    const { flaky } = durably.register({
      flaky: job('flaky', async (step) => {
        const first = await step.run('first', () => 'x'.repeat(20_000));
        await step.run('second', () => {
          if (isBroken) throw new Error('broken');
        });
        return first.length;
      }),
    });
    const { id } = await flaky.trigger(0);
    await untilStatus(durably, id, 'failed');
    await durably.stop();
    const forked = await durably.fork(id, { from: 'second' });
    await durably.deleteRun(id);
    isBroken = false;
    await durably.init();
    expect((await untilStatus(durably, forked.id, 'completed')).output).toBe(20_000);
  });

  test('copies the outcomes of steps of other kinds', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const { all } = durably.register({
      child: job('child', () => 'child'),
      all: job('all', async (step) => {
        const results = [
          await step.waitForSignal('go'),
          await step.invoke('invoke', 'child', null),
          await step.sleep('rest', 0),
        ];
        return [...results.slice(0, 2), await step.run('last', () => 'last')];
      }),
    });
    const { id } = await all.trigger(0);
    await durably.signal(id, 'go', 7);
    await untilStatus(durably, id, 'completed');
    const forked = await durably.fork(id, { from: 'last' });
    expect((await untilStatus(durably, forked.id, 'completed')).output).toEqual([7, 'child', 'last']);
    expect((await durably.getSteps(forked.id)).map(({ kind }) => kind)).toEqual([
      'signal',
      'invoke',
      'sleep',
      'run',
    ]);
    expect(await durably.getRuns({ parentRunId: forked.id })).toEqual([]);
  });

  test('refuses what is unknown or wrong by name, and stores nothing', async ({ world }) => {
    const { durably } = await world.start();
    const { three } = threeSteps();
    const { three: handle } = durably.register({ three });
    const { id } = await handle.trigger({ n: 1 });
    await untilStatus(durably, id, 'completed');
    const fork = durably.fork as (...args: unknown[]) => Promise<unknown>;
    for (const [args, kind, message] of [
      [['run_unknown', { from: 'two' }], NotFoundError, /Run not found/],
      [[id, { from: 'four' }], NotFoundError, /has no step "four"/],
      [[id, { from: 'two', input: { n: 'x' } }], ValidationError, /Invalid input for job three: n/],
      [[id, { from: 7 }], ValidationError, /from must be the name of a step/],
      [[id, { frm: 'two' }], ValidationError, /did you mean "from"/],
    ] as const) {
      const refused = await rejectionOf(fork(...args));
      expect(refused).toBeInstanceOf(kind);
      expect(refused.message).toMatch(message);
    }
    expect(await durably.getRuns()).toHaveLength(1);
  });
});

contract(
  'a fork of large results',
  (test) => {
    test('is refused above 64 MiB, and stores nothing', async ({ world }) => {
      const { durably } = await world.start();
      const { three } = threeSteps();
      const { three: handle } = durably.register({ three });
      const { id } = await handle.trigger({ n: 1 });
      await untilStatus(durably, id, 'completed');
      await durably.stop();
      const resize = (bytes: number) =>
        sql`
        update durably_journal set data = '"' || printf('%.*c', ${bytes / 2 - 2}, 'x') || '"'
        where run_id = ${id} and type = 'step:complete'`.execute(durably.db);
      // Two of them are a little more than what is allowed.
      await resize(64 * 1024 * 1024 + 8);
      const refused = await rejectionOf(durably.fork(id, { from: 'three' }));
      expect(refused).toBeInstanceOf(ValidationError);
      expect(refused.message).toMatch(/^from must have steps before it whose results are at most 64 MiB/);
      expect(await durably.getRuns({ fields: ['id'] })).toEqual([{ id }]);
      await resize(64 * 1024 * 1024);
      const forked = await durably.fork(id, { from: 'three' });
      expect(forked).toMatchObject({ status: 'pending', stepCount: 2 });
    });
  },
  ({ name }) => name === "the service's own on a file",
);
