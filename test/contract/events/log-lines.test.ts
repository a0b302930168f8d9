import { expect } from 'vitest';
import type { Logger } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { ageHeartbeat, startRun, untilStatus } from '../../support/runs.ts';
import { until } from '../../support/until.ts';

function recorded() {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const logger: Logger = { info: write, warn: write, error: write };
  return { lines, logger };
}

const hanging = job('hanging', () => new Promise(() => undefined));

contract('the log of an instance', (test) => {
  test('has a line for a failed run with its step, and none of its values', async ({ world }) => {
    const { lines, logger } = recorded();
    const { durably } = await world.start({ logger });
    const { task } = durably.register({
      task: job('task', async (step, payload) => {
        step.log.info('a logged secret', payload);
        await step.run('fine', () => payload);
        await step.run('charge', () => {
          throw new Error('declined\ndurably: run failed runId=run_forged');
        });
      }),
    });
    const { id } = await task.trigger({ token: 'a secret payload' }, { idempotencyKey: 'a secret key' });
    await untilStatus(durably, id, 'failed');
    await until(() => lines.length > 0, 'a line');
    await durably.stop();
    expect(lines).toEqual([
      `durably: run failed runId=${id} jobName="task" attempt=1 stepName="charge" error="declined\\ndurably: run failed runId=run_forged"`,
    ]);
  });

  test('has no line for a run that completes at its first attempt or is cancelled', async ({ world }) => {
    const { lines, logger } = recorded();
    const { durably } = await world.start({ logger });
    const { done, hanging: held } = durably.register({ done: job('done', () => 1), hanging });
    await done.triggerAndWait(0);
    const { id } = await startRun(durably, held, 0);
    await durably.cancel(id);
    await durably.stop();
    expect(lines).toEqual([]);
  });

  test('has a line for a run that resumes after a retry', async ({ world }) => {
    const { lines, logger } = recorded();
    const { durably } = await world.start({ logger });
    let tries = 0;
    const { task } = durably.register({
      task: job('task', () => {
        if (++tries === 1) throw new Error('once');
      }),
    });
    const { id } = await task.trigger(0);
    await untilStatus(durably, id, 'failed');
    await durably.retry(id);
    await untilStatus(durably, id, 'completed');
    expect(lines).toEqual([
      `durably: run failed runId=${id} jobName="task" attempt=1 error="once"`,
      `durably: run resumed runId=${id} jobName="task" attempt=2`,
    ]);
  });

  test('has a line for a run that is handed back, and one where it resumes', async ({ world }) => {
    const [from, to] = [recorded(), recorded()];
    const first = await world.start({ logger: from.logger });
    const { held } = first.durably.register({ held: hanging });
    const { id } = await startRun(first.durably, held, 0);
    await first.durably.stop({ timeoutMs: 1 });
    expect(from.lines).toEqual([`durably: run handed back runId=${id} jobName="hanging" attempt=1`]);
    const second = await world.start({ logger: to.logger });
    second.durably.register({ held: job('hanging', () => 'done') });
    await untilStatus(second.durably, id, 'completed');
    expect(to.lines).toEqual([`durably: run resumed runId=${id} jobName="hanging" attempt=1`]);
  });

  test('distinguishes a run that is taken over from one that resumes', async ({ world }) => {
    const [from, to] = [recorded(), recorded()];
    const first = await world.start({ logger: from.logger });
    const { held } = first.durably.register({ held: hanging });
    const { id } = await startRun(first.durably, held, 0);
    await ageHeartbeat(first.durably, id, 60_000);
    const second = await world.start({ logger: to.logger });
    second.durably.register({ held: hanging });
    await until(() => to.lines.length > 0, 'the takeover');
    await second.durably.stop({ timeoutMs: 1 });
    const third = await world.start({ logger: to.logger });
    third.durably.register({ held: job('hanging', () => 'done') });
    await untilStatus(third.durably, id, 'completed');
    expect(to.lines).toEqual([
      `durably: run taken over from a lost worker runId=${id} jobName="hanging" attempt=2`,
      `durably: run handed back runId=${id} jobName="hanging" attempt=2`,
      `durably: run resumed runId=${id} jobName="hanging" attempt=2`,
    ]);
    // The run no longer belonged to this worker.
    await first.durably.stop({ timeoutMs: 1 });
    expect(from.lines.filter((line) => line.includes('handed back'))).toEqual([]);
  });

  test('has a line for a run that lost too many workers', async ({ world }) => {
    const { lines, logger } = recorded();
    const { durably } = await world.idle({ logger });
    const { held } = durably.register({ held: hanging });
    const { id } = await held.trigger(0);
    await durably.db
      .updateTable('durably_runs')
      .set({ status: 'running', attempt: 10, lost_count: 9, heartbeat_at: 1 })
      .where('id', '=', id)
      .execute();
    durably.start();
    const run = await untilStatus(durably, id, 'failed');
    expect(run).toMatchObject({
      error: 'worker lost 10 times',
      errorDetail: null,
      failedStepName: 'unknown',
    });
    await until(() => lines.length > 0, 'a line');
    expect(lines).toEqual([
      `durably: run failed runId=${id} jobName="hanging" attempt=10 error="worker lost 10 times"`,
    ]);
  });
});
