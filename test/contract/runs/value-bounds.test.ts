import { expect } from 'vitest';
import { InputTooLargeError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { rejectionOf, untilStatus } from '../../support/runs.ts';

const MB = 1024 * 1024;

contract('the bound of a value', (test) => {
  test('fails a step with a larger result, naming the step and both sizes', async ({ world }) => {
    const { durably } = await world.start({ maxResultBytes: 1_000 });
    const { task } = durably.register({
      task: job('task', async (step, size) => {
        await step.run('the step', () => '€'.repeat(size as number));
      }),
    });
    const fits = await task.trigger(332);
    expect(await untilStatus(durably, fits.id, 'completed')).toMatchObject({ error: null });
    const { id } = await task.trigger(333);
    const { error } = await untilStatus(durably, id, 'failed');
    expect(error).toContain('"the step"');
    expect(error).toContain('1001 bytes');
    expect(error).toContain('1000');
  });

  test('fails a run with a larger output, and leaves out larger log data', async ({ world }) => {
    const { durably } = await world.start({ maxResultBytes: 1_000 });
    const { task } = durably.register({
      task: job('task', (step) => {
        step.log.info('line', 'x'.repeat(999));
        return 'x'.repeat(999);
      }),
    });
    const { id } = await task.trigger(0);
    const { error } = await untilStatus(durably, id, 'failed');
    expect(error).toMatch(/^Invalid output: at least 1001 bytes/);
    const [line] = await durably.getLogs({ runId: id });
    expect(line).toMatchObject({ level: 'warn', data: null });
    expect(line?.message).toContain('1001 bytes');
  });

  test('refuses a larger input, and stores nothing', async ({ world }) => {
    const { durably } = await world.idle({ maxResultBytes: 1_000 });
    const { echo: handle } = durably.register({ echo });
    const error = await rejectionOf(handle.batchTrigger(['fits', 'x'.repeat(999)]));
    expect(error).toBeInstanceOf(InputTooLargeError);
    expect(error.message).toContain('1001 bytes');
    expect(await durably.getRuns()).toEqual([]);
  });

  test('refuses a batch that is too large as a whole, and stores nothing', async ({ world }) => {
    const { durably } = await world.idle();
    const { echo: handle } = durably.register({ echo });
    const error = await rejectionOf(
      handle.batchTrigger(Array.from({ length: 23 }, () => 'x'.repeat(3 * MB))),
    );
    expect(error).toBeInstanceOf(InputTooLargeError);
    expect(await durably.getRuns()).toEqual([]);
  });
});
