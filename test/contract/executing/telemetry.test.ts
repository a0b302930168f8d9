import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { idle } from '../../support/idle.ts';
import { job } from '../../support/jobs.ts';
import { journalTypes, startRun, untilStatus } from '../../support/runs.ts';
import { deferred, until } from '../../support/until.ts';

contract('telemetry', (test) => {
  test('has stored all log lines of a run that reads as completed', async ({ world }) => {
    const { durably } = await world.start();
    const { durably: reader } = await world.idle();
    const { noisy } = durably.register({
      noisy: job('noisy', (step) => {
        for (let i = 0; i < 700; i++) step.log.info(`line ${i}`);
      }),
    });
    const run = await noisy.trigger(0);
    await untilStatus(reader, run.id, 'completed');
    expect(await reader.getLogs({ runId: run.id, limit: 1000 })).toHaveLength(700);
  });

  test('keeps its order with the steps, and ends with the run', async ({ world }) => {
    const { durably } = await world.start();
    const { mixed } = durably.register({
      mixed: job('mixed', async (step) => {
        step.log.info('a');
        await step.run('one', () => step.progress(1));
        step.log.info('b');
        await step.run('two', () => step.log.info('c'));
        setImmediate(() => step.log.info('too late'));
        step.progress(2);
      }),
    });
    const { id } = await mixed.triggerAndWait(0);
    await idle();
    expect(await journalTypes(durably, id)).toEqual([
      ...['run:trigger', 'run:start', 'log:write', 'step:start', 'run:progress', 'step:complete'],
      ...['log:write', 'step:start', 'log:write', 'step:complete', 'run:progress', 'run:complete'],
    ]);
  });

  test('is flushed after its delay if the job does nothing more', async ({ world }) => {
    const clock = new FakeClock();
    const { durably, statements } = await world.start({ clock });
    const gate = deferred();
    const { quiet } = durably.register({
      quiet: job('quiet', async (step) => {
        step.log.info('early');
        await gate.promise;
      }),
    });
    const run = await startRun(durably, quiet, 0);
    await idle();
    const before = statements.length;
    clock.advance(49);
    await idle();
    expect(statements.length).toBe(before);
    clock.advance(1);
    await until(async () => (await durably.getLogs({ runId: run.id })).length === 1);
    gate.resolve();
    await untilStatus(durably, run.id, 'completed');
  });

  test('does not delay a job that blocks the event loop while it writes lines', async ({ world }) => {
    const { durably } = await world.start();
    let wasThenable = false;
    const { sync } = durably.register({
      sync: job('sync', (step) => {
        wasThenable =
          (step.log.info('x') as unknown) !== undefined || (step.progress(1) as unknown) !== undefined;
      }),
    });
    await sync.triggerAndWait(0);
    expect(wasThenable).toBe(false);
  });
});
