import { expect } from 'vitest';
import { RunEndedError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { idle } from '../../support/idle.ts';
import { echo } from '../../support/jobs.ts';
import { journalTypes, nextEvent, rejectionOf, untilStatus } from '../../support/runs.ts';
import { atStep, gatedJob } from '../workers/gated-job.ts';

const TEN_MINUTES_MS = 600_000;

contract('a ttl', (test) => {
  test('fails a run that nobody has started in time, and does not start it later', async ({ world }) => {
    const { durably } = await world.idle({ pollingInterval: 25 });
    const tools = await world.tools();
    const { echo: handle } = durably.register({ echo });
    const { id } = await handle.trigger('late', { ttl: '10m' });
    await tools.ageDeadline(id, TEN_MINUTES_MS);
    const failed = nextEvent(durably, 'run:fail', id);
    durably.start();
    expect(await failed).toMatchObject({
      error: 'not started within 10m',
      errorDetail: { name: 'RunExpiredError', message: 'not started within 10m' },
      failedStepName: 'unknown',
    });
    expect(await durably.getRun(id)).toMatchObject({
      status: 'failed',
      error: 'not started within 10m',
      attempt: 0,
      startedAt: null,
    });
    expect(await journalTypes(durably, id)).toEqual(['run:trigger', 'run:fail']);
    await durably.retry(id);
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({ output: 'late', attempt: 1 });
  });

  test('is met within a polling interval while every slot is taken', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 25 });
    const tools = await world.tools();
    const { gated, gates } = gatedJob();
    const handles = durably.register({ gated, echo });
    const begun = atStep(durably, 0);
    await handles.gated.trigger(0);
    await begun;
    const { id } = await handles.echo.trigger('late', { ttl: '10m' });
    const failed = nextEvent(durably, 'run:fail', id);
    await tools.ageDeadline(id, TEN_MINUTES_MS);
    expect(await failed).toMatchObject({ error: 'not started within 10m' });
    for (const gate of gates) gate.resolve();
  });

  test('of a run that is started in time does nothing', async ({ world }) => {
    const { durably } = await world.start({ pollingInterval: 25 });
    const { echo: handle } = durably.register({ echo });
    const { output } = await handle.triggerAndWait('soon', { ttl: 60_000, delay: 1 });
    expect(output).toBe('soon');
  });

  test('rejects a wait for the run with its error', async ({ world }) => {
    const { durably } = await world.idle({ pollingInterval: 25 });
    const tools = await world.tools();
    const { echo: handle } = durably.register({ echo });
    const triggered = nextEvent(durably, 'run:trigger');
    const ended = rejectionOf(handle.triggerAndWait('late', { ttl: 90_000 }));
    const { runId } = await triggered;
    await tools.ageDeadline(runId, 90_000);
    await idle();
    durably.start();
    const error = await ended;
    expect(error).toBeInstanceOf(RunEndedError);
    expect(error).toMatchObject({ runId, ending: 'failed', cause: { message: 'not started within 90s' } });
  });

  test.for([
    [{ ttl: '10 minutes' }, /^ttl must be a duration .*, not "10 minutes"$/],
    [{ ttl: -1 }, /^ttl must be a duration .*, not -1$/],
    [{ timeout: '11000d' }, /^timeout must be a duration of at most ten years.*, not "11000d"$/],
  ] as const)('is refused for %j', async ([options, message], { world }) => {
    const { durably } = await world.idle();
    const { echo: handle } = durably.register({ echo });
    const refusal = await rejectionOf(handle.trigger(0, options as never));
    expect(refusal).toMatchObject({ code: 'VALIDATION' });
    expect(refusal.message).toMatch(message);
    expect(await durably.getRuns()).toEqual([]);
  });
});
