import { expect } from 'vitest';
import { type StepContext, StepError } from '../../../../src/index.ts';
import { contract } from '../../../support/contract.ts';
import { job } from '../../../support/jobs.ts';
import { untilStatus } from '../../../support/runs.ts';
import { childOf, double } from './children.ts';
import { PATIENT } from './patient.ts';

contract('a step that invokes a job', (test) => {
  test.for([
    ['an unknown job', (step: StepContext) => step.invoke('child', 'doubles', {}), /did you mean "double"/],
    ['no job', (step: StepContext) => step.invoke('child', null as never, {}), /needs a job/],
    [
      'a bad input',
      (step: StepContext) => step.invoke('child', 'double', { n: 'x' }),
      /Invalid input for job double: n/,
    ],
    [
      'an unknown option',
      (step: StepContext) => step.invoke('child', 'double', { n: 1 }, { idempotencyKey: 'x' } as never),
      /idempotencyKey/,
    ],
  ] as const)('fails for %s, and triggers nothing', async ([, call, message], { world }) => {
    const { durably } = await world.start(PATIENT);
    const { parent } = durably.register({ double, parent: job('parent', call) });
    const { id } = await parent.trigger(0);
    expect((await untilStatus(durably, id, 'failed')).error).toMatch(message);
    expect(await durably.getRuns({ parentRunId: id })).toEqual([]);
  });

  test('fails at once if its run wants a concurrency key that a run above it holds', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { top, parent } = durably.register({
      double,
      parent: job('parent', (step, key) =>
        step.invoke('child', double, { n: 1 }, { concurrencyKey: key as string }),
      ),
      top: job('top', (step) => step.invoke('parent', 'parent', 'of the top')),
    });
    const own = await parent.trigger('mine', { concurrencyKey: 'mine' });
    expect((await untilStatus(durably, own.id, 'failed')).error).toMatch(
      /concurrency key "mine" belongs to this run/,
    );
    const above = await top.trigger(0, { concurrencyKey: 'of the top' });
    expect((await untilStatus(durably, above.id, 'failed')).error).toMatch(/concurrency key "of the top"/);
    const other = await parent.trigger('other', { concurrencyKey: 'mine' });
    await untilStatus(durably, other.id, 'completed');
  });

  test('does not count the key of a run above it that is over', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { top } = durably.register({
      double,
      middle: job('middle', (step) => step.invoke('child', double, { n: 1 }, { concurrencyKey: 'k' })),
      top: job('top', (step) => step.trigger('start', 'middle', null, { delay: '1h' })),
    });
    const tools = await world.tools();
    const { id } = await top.trigger(0, { concurrencyKey: 'k' });
    await untilStatus(durably, id, 'completed');
    const middle = await childOf(durably, id);
    await tools.ageDue(middle.id, 3_600_000);
    await durably.processUntilIdle();
    expect((await untilStatus(durably, middle.id, 'completed')).output).toEqual({ twice: 2 });
  });

  test('may be for a fraction of a ms later', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 5 });
    const { parent } = durably.register({
      double,
      parent: job('parent', (step) => step.invoke('child', double, { n: 1 }, { delay: 1.5 })),
    });
    const { id } = await parent.trigger(0);
    expect((await untilStatus(durably, id, 'completed')).output).toEqual({ twice: 2 });
  });

  test('that the database refuses fails its step, or its run, and nothing waits for it', async ({
    world,
    skip,
  }) => {
    skip(world.isEncoded, 'the database refuses a payload');
    const { durably } = await world.start(PATIENT);
    const tools = await world.tools();
    await tools.refuseRuns('{"n":13}');
    const { parent, starter } = durably.register({
      double,
      parent: job('parent', (step) => step.invoke('child', double, { n: 13 })),
      starter: job('starter', (step) => step.trigger('child', double, { n: 13 })),
    });
    for (const handle of [parent, starter]) {
      const { id } = await handle.trigger(0);
      expect((await untilStatus(durably, id, 'failed')).error).toMatch(/refused/);
      expect(await durably.getRuns({ parentRunId: id })).toEqual([]);
    }
  });

  test('stops at 50 levels', async ({ world }) => {
    const { durably } = await world.start(PATIENT);
    const { deep } = durably.register({
      deep: job('deep', async (step, level) => {
        try {
          return await step.invoke('child', 'deep', (level as number) + 1);
        } catch (error) {
          if (error instanceof StepError) return [level, error.message];
          throw error;
        }
      }),
    });
    const { id } = await deep.trigger(0);
    expect((await untilStatus(durably, id, 'completed')).output).toEqual([
      50,
      expect.stringContaining('50 runs above'),
    ]);
  });
});
