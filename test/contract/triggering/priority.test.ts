import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { idle } from '../../support/idle.ts';
import { job } from '../../support/jobs.ts';
import { rejectionOf } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';

contract('priority', (test) => {
  test('decides the order in which runs start, then the order of their triggers does', async ({ world }) => {
    const { durably } = await world.idle({ pollingInterval: 25 });
    const started: unknown[] = [];
    const { task } = durably.register({ task: job('task', (_, input) => started.push(input)) });
    for (const [name, priority] of [
      ['none', undefined],
      ['low', -1000],
      ['high', 1000],
      ['zero', 0],
      ['also high', 1000],
    ] as const) {
      await task.trigger(name, { priority });
    }
    await task.batchTrigger([{ input: 'batched', options: { priority: 1 } }]);
    durably.start();
    await until(() => started.length === 6);
    expect(started).toEqual(['high', 'also high', 'batched', 'none', 'zero', 'low']);
  });

  test('stays with a run that is handed back: it goes on before others', async ({ world }) => {
    const { durably } = await world.idle({ pollingInterval: 25 });
    const begun: unknown[] = [];
    const gate = deferred();
    const { task } = durably.register({
      task: job('task', async (_, input) => {
        begun.push(input);
        if (begun.length === 1) await new Promise(() => undefined);
        await gate.promise;
      }),
    });
    await task.trigger('high', { priority: 1 });
    durably.start();
    await until(() => begun.length === 1);
    await durably.stop({ timeoutMs: 0 });
    await task.trigger('other');
    durably.start();
    await until(() => begun.length === 2);
    await idle();
    expect(begun).toEqual(['high', 'high']);
    gate.resolve();
    await until(() => begun.length === 3);
  });

  test('decides who is next at a concurrency key', async ({ world }) => {
    const { durably } = await world.idle({ pollingInterval: 25, maxConcurrentRuns: 5 });
    const started: unknown[] = [];
    const { task } = durably.register({ task: job('task', (_, input) => started.push(input)) });
    for (const [i, priority] of [0, 2, 1, 2].entries()) {
      await task.trigger(`${priority} ${i}`, { priority, concurrencyKey: 'k' });
    }
    durably.start();
    await until(() => started.length === 4);
    expect(started).toEqual(['2 1', '2 3', '1 2', '0 0']);
  });

  test.for([1001, -1001, 0.5, Number.NaN, '1', true] as const)(
    'is refused if it is %j',
    async (priority, { world }) => {
      const { durably } = await world.idle();
      const { task } = durably.register({ task: job('task', () => 1) });
      const refusal = await rejectionOf(task.trigger(0, { priority: priority as number }));
      expect(refusal).toMatchObject({ code: 'VALIDATION', issues: [{ path: ['priority'] }] });
      expect(refusal.message).toMatch(/^priority must be a whole number from -1000 to 1000, not /);
      expect(await durably.getRuns()).toEqual([]);
    },
  );
});
