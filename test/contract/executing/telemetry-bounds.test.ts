import { expect } from 'vitest';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { journalTypes } from '../../support/runs.ts';

contract('telemetry without end', (test) => {
  test('stores few rows for 100,000 progress reports, and keeps the last one', async ({ world }) => {
    const { durably } = await world.start();
    const { eager } = durably.register({
      eager: job('eager', async (step) => {
        for (let i = 1; i <= 50_000; i++) step.progress(i, 100_000);
        await step.run('half', () => 'done');
        for (let i = 50_001; i <= 100_000; i++) step.progress(i, 100_000, 'nearly');
      }),
    });
    const { id } = await eager.triggerAndWait(0);
    const types = await journalTypes(durably, id);
    expect(types.filter((type) => type === 'run:progress').length).toBeLessThan(100);
    expect(types.indexOf('run:progress')).toBeLessThan(types.indexOf('step:complete'));
    expect((await durably.getRun(id))?.progress).toEqual({
      current: 100_000,
      total: 100_000,
      message: 'nearly',
    });
  });

  test('leaves out log lines when too many wait, and one line says how many', async ({ world }) => {
    const { durably } = await world.start();
    const data = 'x'.repeat(1024 * 1024);
    const { noisy } = durably.register({
      noisy: job('noisy', (step) => {
        for (let i = 0; i < 500; i++) step.log.info(`line ${i}`, data);
      }),
    });
    const { id: runId } = await noisy.triggerAndWait(0);
    const lines = await durably.getLogs({ runId, limit: 1000 });
    const last = lines.at(-1);
    expect(lines.length).toBeLessThan(50);
    expect(last).toMatchObject({ level: 'warn', stepName: null, data: null });
    expect(last?.message).toMatch(new RegExp(`^${500 - (lines.length - 1)} log lines were left out here`));
  });
});
